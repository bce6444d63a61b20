"""Grid: a mesh of steel wires that cross diagonally, woven over and under, on a dark ground."""

from __future__ import annotations

import numpy as np

from . import defects
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point

PITCH = 0.25
WIRE = 0.07


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Two families of wires; a bend shifts the coordinates of the wires, a break takes a piece of one away."""
    ground = 1 + 0.08 * canvas.noise(dice("ground"), 0.4, octaves=2)
    canvas.picture[:] = ground[..., None] * np.asarray(jitter(dice("ground colour"), (0.26, 0.26, 0.27), 0.003))
    steel = np.asarray(jitter(dice("steel"), (0.60, 0.60, 0.59), 0.004))
    sway = 0.003 * canvas.noise(dice("sway"), 0.35)
    place, push = _place(dice), np.zeros(canvas.x.shape)
    if change == "bent":
        rng = dice("bend")
        near = np.exp(
            -((canvas.x - place[0]) ** 2 + (canvas.y - place[1]) ** 2) / (2 * defects.drawn(rng, (0.08, 0.18)) ** 2)
        )
        push = near * defects.drawn(rng, (0.06, 0.12)) * (1 if rng.random() < 0.5 else -1)
    u, v = (canvas.x + canvas.y) / np.sqrt(2) + sway + push, (canvas.y - canvas.x) / np.sqrt(2) + sway - 0.4 * push
    rust = 1 + 0.04 * canvas.noise(dice("rust"), 0.06)
    wires = np.zeros(canvas.x.shape)
    for above in (False, True):
        for across, along, sign in ((u, v, 1), (v, u, -1)):
            middle = across - PITCH * np.round(across / PITCH)
            odd = np.cos(np.pi * np.round(across / PITCH)) * np.cos(np.pi * along / PITCH) * sign
            visible = np.abs(middle) - WIRE / 2
            if change == "broken" and sign > 0:
                visible = np.maximum(visible, -_gap(canvas, dice, across, along, place))
            if above:
                visible = np.maximum(visible, -odd * 0.05)
            tone = (
                (0.25 + 0.75 * np.sqrt(np.maximum(1 - (2.1 * middle / WIRE + 0.25) ** 2, 0)))
                * (0.86 + 0.14 * odd)
                * rust
            )
            wires = np.maximum(wires, canvas.fill(visible, steel * tone[..., None], soft=2))
    return {"body": np.ones(canvas.x.shape), "wires": wires}


def _place(dice: Dice) -> Point:
    x, y = dice("place").uniform(-0.7, 0.7, 2)
    return float(x), float(y)


def _gap(canvas: Canvas, dice: Dice, across: Field, along: Field, place: Point) -> Field:
    """Distance to the piece that is missing from the wire next to ``place``; its ends are a little ragged."""
    row = PITCH * np.round((place[0] + place[1]) / np.sqrt(2) / PITCH)
    middle = (place[1] - place[0]) / np.sqrt(2)
    half = defects.drawn(dice("gap"), (0.07, 0.24))
    ragged = 0.012 * canvas.noise(dice("ragged"), 0.03)
    end: Field = np.abs(along - middle) - half + ragged
    wire: Field = np.abs(across - row) - PITCH / 2
    return np.maximum(wire, end)


GRID = Category(
    name="grid",
    kind="texture",
    draw=draw,
    exposure=(0.345, 0.385),
    poses=Poses(shift=0.02, angle=0.005, scale=0.003),
    strength=0.35,
    defects={
        "bent": Defect(change="bent"),
        "broken": Defect(change="broken"),
        "glue": Defect(paint=defects.glue((0.07, 0.22))),
        "metal_contamination": Defect(paint=defects.metal((0.05, 0.13))),
        "thread": Defect(paint=defects.hair((0.4, 1.2), (0.012, 0.03))),
    },
)
