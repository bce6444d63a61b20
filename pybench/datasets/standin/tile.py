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
    canvas.picture[:] = (1 + 0.10 * mottle)[..., None] * np.asarray(
        jitter(dice("ground colour"), (0.74, 0.71, 0.67), 0.005)
    )
    for name, cell, turn, level, colour in (
        ("rusty", 0.075, 0.4, 0.40, (0.58, 0.49, 0.43)),
        ("grey", 0.050, 1.0, 0.40, (0.57, 0.55, 0.54)),
        ("dark", 0.070, 1.7, 0.52, (0.43, 0.41, 0.39)),
    ):
        # Each turned differently, else the lattice that the noise stands on would show.
        field = canvas.noise(dice(name), cell, angle=turn) + 0.35 * canvas.noise(
            dice(name + " edge"), cell / 3, angle=turn + 1
        )
        canvas.blend(np.clip((field - level) * 9, 0, 1), jitter(dice(name + " colour"), colour, 0.006))
    return {"body": np.ones(canvas.x.shape)}


def _stroke(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A broad translucent stroke of grey."""
    path = defects.walk(rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.3, 1.0)), 0.15, 5)
    cover = canvas.cover(shapes.polyline(canvas, path, defects.drawn(rng, (0.03, 0.09))), soft=3)
    canvas.blend(cover * rng.uniform(0.5, 0.9), (0.36, 0.36, 0.37))


def _strip(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A strip of hardened glue: smooths the speckles and shines at its edges."""
    x, y = defects.spot(canvas, rng, region)
    angle, half = rng.uniform(0, np.pi), (defects.drawn(rng, (0.15, 0.5)), defects.drawn(rng, (0.03, 0.07)))
    distance = shapes.box(canvas, (x, y), half, 0.02, angle) + 0.01 * canvas.noise(rng, 0.08)
    canvas.blend(canvas.cover(distance, soft=2) * 0.85, (0.90, 0.82, 0.62))
    canvas.picture += (0.25 * canvas.cover(np.abs(distance) - 0.008, soft=2))[..., None]


def _rough(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A patch where the polish is gone: coarse and contrasty."""
    distance = defects.irregular(canvas, rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.08, 0.25)))
    canvas.picture += (0.40 * canvas.cover(distance, soft=5) * canvas.noise(rng, 0.016))[..., None]


TILE = Category(
    name="tile",
    kind="texture",
    draw=draw,
    exposure=(0.48, 0.54),
    poses=Poses(shift=1.0, angle=0.03, scale=0.03),
    strength=0.7,
    defects={
        "crack": Defect(paint=defects.crack((0.4, 1.4), (0.012, 0.035), (0.6, 0.95))),
        "glue_strip": Defect(paint=_strip),
        "gray_stroke": Defect(paint=_stroke),
        "oil": Defect(paint=defects.stain((0.10, 0.25), (0.15, 0.3))),
        "rough": Defect(paint=_rough),
    },
)
