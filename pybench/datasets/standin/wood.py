"""Wood: a planed board with upright grain."""

from __future__ import annotations

import numpy as np

from . import defects
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field

UPRIGHT = np.pi / 2


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Year rings as warped stripes, fibres, and short dark pores along the grain."""
    drift = 0.16 * canvas.noise(dice("drift"), (1.6, 0.45), octaves=2, angle=UPRIGHT)
    rings = canvas.x + drift + 0.3 * canvas.noise(dice("spacing"), (8.0, 0.35), angle=UPRIGHT)
    phase = rings / dice("rings").uniform(0.10, 0.16)
    late = (phase - np.floor(phase)) ** 3
    fibre = canvas.noise(dice("fibre"), (0.5, 0.014), angle=UPRIGHT, warp=drift) + 0.6 * canvas.noise(
        dice("fine fibre"), (0.25, 0.007), angle=UPRIGHT
    )
    pores = np.clip(canvas.noise(dice("pores"), (0.12, 0.012), angle=UPRIGHT) - 0.55, 0, 1) * 2.2
    canvas.picture[:] = np.asarray(jitter(dice("board"), (0.66, 0.46, 0.30), 0.012))
    dark = 0.22 * late + 0.06 * fibre + 0.30 * pores + 0.05 * canvas.noise(dice("patches"), (0.9, 0.3), angle=UPRIGHT)
    canvas.picture *= 1 - dark[..., None] * np.asarray((0.85, 1.0, 1.15))
    return {"body": np.ones(canvas.x.shape)}


def _liquid(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """Drops that darken the wood and dry with a darker rim."""
    x, y = defects.spot(canvas, rng, region)
    for _ in range(int(rng.integers(1, 4))):
        size = defects.drawn(rng, (0.03, 0.14))
        distance = defects.irregular(
            canvas, rng, (x + float(rng.normal(0, 0.15)), y + float(rng.normal(0, 0.15))), size
        )
        canvas.shade(1 - 0.16 * canvas.cover(distance, soft=3) - 0.16 * canvas.cover(np.abs(distance) - 0.006, soft=2))


WOOD = Category(
    name="wood",
    kind="texture",
    draw=draw,
    exposure=(0.41, 0.47),
    poses=Poses(shift=1.0, angle=0.03, scale=0.05),
    strength=0.9,
    defects={
        "color": Defect(paint=defects.stain((0.08, 0.25), (0.08, 0.22))),
        "hole": Defect(paint=defects.hole((0.025, 0.09))),
        "liquid": Defect(paint=_liquid),
        "scratch": Defect(paint=defects.scratch((0.2, 0.9), (0.01, 0.03), (0.12, 0.3))),
    },
)
