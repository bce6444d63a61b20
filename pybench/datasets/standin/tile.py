"""Tile: a polished stone tile, pale with dark and rusty speckles."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Mottled ground and three generations of speckles of different size and colour."""
    rng = dice("ground")
    mottle = canvas.noise(rng, 0.09, octaves=2)
    canvas.picture[:] = (1 + 0.10 * mottle)[..., None] * np.asarray(jitter(dice("ground colour"), (0.74, 0.71, 0.67), 0.01))
    for name, cell, level, colour in (
        ("rusty", 0.075, 0.42, (0.52, 0.40, 0.33)),
        ("grey", 0.050, 0.40, (0.48, 0.46, 0.45)),
        ("dark", 0.085, 0.48, (0.20, 0.18, 0.17)),
    ):
        field = canvas.noise(dice(name), cell) + 0.25 * canvas.noise(dice(name + " edge"), cell / 3)
        canvas.blend(np.clip((field - level) * 9, 0, 1), jitter(dice(name + " colour"), colour, 0.015))
    return {"body": np.ones(canvas.x.shape)}


def _stroke(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A broad translucent stroke of grey."""
    path = defects.walk(rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.3, 1.0)), 0.15, 5)
    cover = canvas.cover(shapes.polyline(canvas, path, defects.drawn(rng, (0.03, 0.09))), soft=3)
    canvas.blend(cover * rng.uniform(0.4, 0.8), (0.50, 0.50, 0.51))


def _strip(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A strip of hardened glue: smooths the speckles and shines at its edges."""
    x, y = defects.spot(canvas, rng, region)
    angle, half = rng.uniform(0, np.pi), (defects.drawn(rng, (0.15, 0.5)), defects.drawn(rng, (0.03, 0.07)))
    distance = shapes.box(canvas, (x, y), half, 0.02, angle) + 0.01 * canvas.noise(rng, 0.08)
    canvas.blend(canvas.cover(distance, soft=2) * 0.6, (0.74, 0.69, 0.58))
    canvas.picture += (0.2 * canvas.cover(np.abs(distance) - 0.006, soft=2))[..., None]


def _rough(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A patch where the polish is gone: coarse and contrasty."""
    distance = defects.irregular(canvas, rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.08, 0.25)))
    canvas.picture += (0.16 * canvas.cover(distance, soft=5) * canvas.noise(rng, 0.016))[..., None]


TILE = Category(
    name="tile",
    kind="texture",
    draw=draw,
    exposure=(0.44, 0.56),
    poses=Poses(shift=1.0, angle=np.pi, scale=0.05),
    defects={
        "crack": Defect(paint=defects.crack((0.4, 1.4), (0.01, 0.025))),
        "glue_strip": Defect(paint=_strip),
        "gray_stroke": Defect(paint=_stroke),
        "oil": Defect(paint=defects.stain((0.08, 0.25), (0.08, 0.2))),
        "rough": Defect(paint=_rough),
    },
)
