"""Capsule: a lying two-piece capsule, half black and half orange, printed in white."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point

BLACK, ORANGE = (0.13, 0.12, 0.13), (0.80, 0.36, 0.10)
RADIUS, HALF = 0.32, 0.50
FIVE = ((1, -1), (-1, -1), (-1, -0.1), (0.5, -0.1), (1, 0.2), (1, 0.7), (0.5, 1), (-1, 1))
ZERO = ((0.5, -1), (-0.5, -1), (-1, -0.5), (-1, 0.5), (-0.5, 1), (0.5, 1), (1, 0.5), (1, -0.5), (0.5, -1))


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Shadow, the two shells with the wider one slipped over, the print, then the shine."""
    canvas.picture[:] = jitter(dice("ground"), (0.85, 0.85, 0.84), 0.006)
    canvas.shade(1 + 0.02 * canvas.noise(dice("paper"), 0.05))
    canvas.fill(
        shapes.capsule(canvas, (-HALF, 0.07), (HALF, 0.07), RADIUS * 1.02), (0.48, 0.47, 0.46), opacity=0.8, soft=14
    )
    seam = 0.05 + float(dice("seam").normal(0, 0.008))
    outline = _outline(canvas, dice, change)
    left, right = (ORANGE, BLACK) if change == "swapped_halves" else (BLACK, ORANGE)
    body = canvas.fill(outline, jitter(dice("right"), right, 0.008))
    lip = np.maximum(outline - 0.012, canvas.x - seam)
    canvas.fill(lip, jitter(dice("left"), left, 0.008))
    canvas.fill(np.maximum(outline, np.abs(canvas.x - seam) - 0.008), (0.30, 0.20, 0.13), soft=2)
    _print(canvas, dice, change)
    _shine(canvas, dice, body)
    return {"body": body}


def _outline(canvas: Canvas, dice: Dice, change: str) -> Field:
    """Signed distance of the silhouette; squeezing dents it from one side."""
    outline = shapes.capsule(canvas, (-HALF, 0), (HALF, 0), RADIUS)
    if change != "squeeze":
        return outline
    rng = dice("squeeze")
    depth, width = defects.drawn(rng, (0.03, 0.14)), defects.drawn(rng, (0.08, 0.22))
    side = 1 if rng.random() < 0.5 else -1
    dent = depth * np.exp(-(((canvas.x - rng.uniform(-0.55, 0.55)) / width) ** 2))
    dented: Field = outline + np.where(canvas.y * side > 0, dent, -0.15 * dent)
    return dented


def _print(canvas: Canvas, dice: Dice, change: str) -> None:
    """ "500" on the orange half; missing, worn away or displaced where the imprint is faulty."""
    rng = dice("print")
    start, height = (0.27 + float(rng.normal(0, 0.01)), float(rng.normal(0, 0.008))), 0.085
    wear: Field = np.clip(1.1 + 0.5 * canvas.noise(dice("wear"), 0.04), 0, 1)
    if change == "faulty_imprint":
        fault = dice("fault")
        kind = fault.integers(3)
        if kind == 0:
            return
        if kind == 1:
            wear = wear * np.clip(0.5 + 3 * canvas.noise(fault, 0.10), 0, 1)
        else:
            start = (
                start[0] - float(fault.uniform(0.0, 0.05)),
                start[1] + float(fault.choice((-1, 1)) * fault.uniform(0.05, 0.13)),
            )
    for place, glyph in enumerate((FIVE, ZERO, ZERO)):
        middle = (start[0] + 0.145 * place, start[1])
        stroke: list[Point] = [(middle[0] + 0.045 * a, middle[1] + height * b) for a, b in glyph]
        view = canvas.window(middle, height + 0.02)
        ink = view.cover(shapes.polyline(view, stroke, 0.011), soft=1.5)
        view.blend(ink * wear[view.rows, view.columns], (0.95, 0.92, 0.88))


def _shine(canvas: Canvas, dice: Dice, body: Field) -> None:
    """Shading of the round body and the lamp's reflection along it."""
    rng = dice("shine")
    across = canvas.y / RADIUS
    canvas.shade(0.62 + 0.48 * np.sqrt(np.maximum(1 - (across + 0.15) ** 2, 0)), body)
    top = -0.17 + float(rng.normal(0, 0.012))
    strip = canvas.cover(
        shapes.capsule(canvas, (-HALF, top), (HALF, top), 0.012) + 0.01 * canvas.noise(rng, 0.2), soft=8
    )
    canvas.picture += (0.38 * strip * body)[..., None]
    canvas.picture += (0.05 * body * canvas.noise(dice("dust"), 0.03, octaves=2))[..., None]


CAPSULE = Category(
    name="capsule",
    kind="object",
    draw=draw,
    exposure=(0.50, 0.56),
    poses=Poses(shift=0.02, angle=0.05, scale=0.02),
    strength=0.35,
    defects={
        "crack": Defect(paint=defects.crack((0.3, 0.8), (0.014, 0.035), (0.6, 0.95))),
        "faulty_imprint": Defect(change="faulty_imprint"),
        "poke": Defect(paint=defects.hole((0.02, 0.07))),
        "scratch": Defect(paint=defects.scratch((0.25, 0.8), (0.012, 0.03), (0.2, 0.4))),
        "squeeze": Defect(change="squeeze"),
        "swapped_halves": Defect(change="swapped_halves"),
    },
)
