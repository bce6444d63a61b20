"""Leather: brown hide with pebbled grain."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, cells, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field

PEBBLE = 0.055


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Pebbles of two sizes parted by creases, lit from one side."""
    bend = 0.35 * canvas.noise(dice("bend"), 0.10)
    border, value = cells(dice("pebbles"), canvas.x / PEBBLE + bend, canvas.y / PEBBLE - bend)
    height = 1 - np.exp(-4.5 * border) + 0.35 * value + 0.25 * canvas.noise(dice("pores"), 0.018)
    lamp = dice("lamp").normal(0.8, 0.25)
    canvas.picture[:] = np.asarray(jitter(dice("hide"), (0.45, 0.27, 0.17), 0.008))
    canvas.shade((0.62 + 0.38 * np.minimum(height, 1)) * canvas.relief(height, lamp, 0.007))
    canvas.shade(1 + 0.07 * canvas.noise(dice("flanks"), 0.6, octaves=2))
    return {"body": np.ones(canvas.x.shape)}


def _fold(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A long soft crease: light on one side, dark on the other."""
    x, y = defects.spot(canvas, rng, region)
    _, across = shapes.turned(canvas, (x, y), rng.uniform(0, np.pi))
    across = across + 0.05 * canvas.noise(rng, 0.5)
    width, depth = defects.drawn(rng, (0.02, 0.05)), defects.drawn(rng, (0.3, 0.7))
    canvas.shade(1 + depth * (across / width) * np.exp(0.5 - (across / width) ** 2) * region)


def _poke(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A few pricks of a needle close together."""
    x, y = defects.spot(canvas, rng, region)
    size = defects.drawn(rng, (0.016, 0.04))
    for _ in range(int(rng.integers(1, 5))):
        centre = (x + float(rng.normal(0, 0.06)), y + float(rng.normal(0, 0.06)))
        distance = shapes.circle(canvas, centre, size)
        canvas.picture += (0.10 * canvas.cover(np.abs(distance) - 0.008, soft=2))[..., None]
        canvas.shade(1 - 0.7 * canvas.cover(distance, soft=2))


LEATHER = Category(
    name="leather",
    kind="texture",
    draw=draw,
    exposure=(0.29, 0.33),
    poses=Poses(shift=1.0, angle=np.pi, scale=0.05),
    strength=0.6,
    defects={
        "color": Defect(paint=defects.stain((0.08, 0.25), (0.10, 0.25))),
        "cut": Defect(paint=defects.cut((0.2, 0.7), (0.02, 0.05))),
        "fold": Defect(paint=_fold),
        "glue": Defect(paint=defects.glue((0.05, 0.2))),
        "poke": Defect(paint=_poke),
    },
)
