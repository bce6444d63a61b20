"""Carpet: a grey woven carpet, bundles of yarn passing over and under each other."""

from __future__ import annotations

import numpy as np

from . import defects
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field

KNOT = 0.042


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Plain weave: on every other square the warp lies on top, on the others the weft."""
    warp = 0.010 * canvas.noise(dice("warp"), 0.3)
    u, v = (canvas.x + warp) / KNOT, (canvas.y - warp) / KNOT
    column, row = np.floor(u), np.floor(v)
    across, down = np.abs(u - column - 0.5), np.abs(v - row - 0.5)
    upright = (column + row) % 2 == 0
    middle, along = np.where(upright, across, down), np.where(upright, down, across)
    height = np.sqrt(np.maximum(1 - 3.2 * middle**2 - 1.6 * along**2, 0.02))
    rng = dice("yarn")
    knots = rng.normal(0, 1, (64, 64))[row.astype(np.int64) & 63, column.astype(np.int64) & 63]
    fibre = np.where(
        upright,
        canvas.noise(rng, (KNOT, KNOT / 7), angle=np.pi / 2 + 0.3),
        canvas.noise(rng, (KNOT, KNOT / 7), angle=0.3),
    )
    tone = 0.35 + 0.65 * height + 0.10 * fibre + 0.05 * knots * height
    pale = np.where(upright, 1.0, 0.8)
    canvas.picture[:] = (tone * pale)[..., None] * np.asarray(jitter(dice("dye"), (0.56, 0.55, 0.53), 0.01))
    canvas.shade(1 + 0.05 * canvas.noise(dice("wear"), 0.5))
    return {"body": np.ones(canvas.x.shape)}


def _dyed(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """Yarn of another colour in a patch; the weave stays."""
    distance = defects.irregular(canvas, rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.06, 0.25)))
    colours = np.asarray(((1.35, 0.75, 0.70), (0.72, 0.95, 1.40), (0.55, 0.52, 0.50), (1.35, 1.30, 0.95)))
    cover = canvas.cover(distance, soft=6)
    canvas.picture *= 1 + cover[..., None] * (colours[int(rng.integers(len(colours)))] - 1)


CARPET = Category(
    name="carpet",
    kind="texture",
    draw=draw,
    exposure=(0.36, 0.42),
    poses=Poses(shift=1.0, angle=0.04, scale=0.03),
    strength=0.25,
    defects={
        "color": Defect(paint=_dyed),
        "cut": Defect(paint=defects.cut((0.2, 0.7), (0.02, 0.05))),
        "hole": Defect(paint=defects.hole((0.04, 0.14))),
        "metal_contamination": Defect(paint=defects.metal((0.03, 0.10))),
        "thread": Defect(paint=defects.hair((0.4, 1.2), (0.012, 0.025))),
    },
)
