"""Bottle: the mouth of a brown glass bottle seen from above against a light table."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Outer wall, thread rings with their reflections, and the bright opening."""
    canvas.picture[:] = jitter(dice("table"), (0.86, 0.86, 0.84), 0.01)
    glass = jitter(dice("glass"), (0.13, 0.075, 0.05), 0.008)
    wave = 0.010 * canvas.noise(dice("wave"), 0.5)
    canvas.fill(shapes.circle(canvas, (0.015, 0.02), 0.90), (0.62, 0.61, 0.60), soft=10)
    body = canvas.fill(shapes.circle(canvas, (0, 0), 0.86) + 0.2 * wave, glass)
    flow = canvas.noise(dice("flow"), 0.22, octaves=2)
    canvas.shade(1 + 0.25 * flow, body)
    _reflections(canvas, dice, wave)
    rng = dice("mouth")
    centre = (float(rng.normal(0, 0.006)), float(rng.normal(0, 0.006)))
    if change == "misplaced_mouth":
        slip, way = dice("slip").uniform(0.025, 0.09), dice("slip way").uniform(0, 2 * np.pi)
        centre = (centre[0] + float(slip * np.cos(way)), centre[1] + float(slip * np.sin(way)))
    canvas.fill(shapes.circle(canvas, centre, 0.50) + wave, (0.44, 0.25, 0.12), soft=3)
    mouth = canvas.fill(shapes.circle(canvas, centre, 0.43) + 0.5 * wave, (0.88, 0.84, 0.74), soft=2)
    canvas.fill(shapes.ring(canvas, centre, 0.405, 0.02), (0.99, 0.97, 0.92), soft=2)
    canvas.shade(1 + 0.05 * canvas.noise(dice("inside"), 0.35), mouth)
    rim = canvas.cover(np.abs(shapes.circle(canvas, (0, 0), 0.68)) - 0.16)
    return {"body": body, "mouth": mouth, "rim": rim}


def _reflections(canvas: Canvas, dice: Dice, wave: Field) -> None:
    """Rings of light on the glass, stronger towards the lamp."""
    rng = dice("reflections")
    towards = np.arctan2(canvas.y, canvas.x) - rng.uniform(0, 2 * np.pi)
    for radius, width, colour in (
        (0.82, 0.016, (0.50, 0.40, 0.32)),
        (0.72, 0.03, (0.62, 0.44, 0.28)),
        (0.58, 0.022, (0.75, 0.62, 0.45)),
    ):
        strength = np.clip(0.55 + 0.2 * np.cos(towards * int(rng.integers(1, 4)) + rng.uniform(0, 6)), 0, 1)
        alpha = canvas.cover(shapes.ring(canvas, (0, 0), radius, width) + wave, soft=3)
        canvas.blend(alpha * strength, colour)


def _broken(size: tuple[float, float]) -> defects.Painter:
    """A chip out of the rim: pale fractured glass with dark cracks at its edge."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        way, extent = rng.uniform(0, 2 * np.pi), float(np.exp(rng.uniform(*np.log(size))))
        centre = (0.74 * np.cos(way), 0.74 * np.sin(way))
        corners = [
            (float(centre[0] + extent * r * np.cos(a)), float(centre[1] + extent * r * np.sin(a)))
            for a, r in zip(
                np.linspace(0, 2 * np.pi, 9, endpoint=False) + rng.uniform(0, 1), rng.uniform(0.45, 1.1, 9), strict=True
            )
        ]
        chip = canvas.cover(shapes.polygon(canvas, corners)) * region
        facets = 0.5 + 0.5 * canvas.noise(rng, 0.4 * extent)
        shard = np.asarray((0.40, 0.27, 0.18)) * (0.4 + 1.7 * facets)[..., None]
        canvas.blend(chip, shard)
        canvas.blend(canvas.cover(np.abs(shapes.polygon(canvas, corners)) - 0.008) * region, (0.06, 0.04, 0.03))

    return paint


BOTTLE = Category(
    name="bottle",
    kind="object",
    draw=draw,
    exposure=(0.385, 0.435),
    poses=Poses(shift=0.015, angle=np.pi, scale=0.015),
    strength=0.15,
    defects={
        "broken_large": Defect(paint=_broken((0.12, 0.3))),
        "broken_small": Defect(paint=_broken((0.05, 0.11))),
        "contamination": Defect(
            paint=defects.one_of(defects.blob((0.05, 0.15), (0.7, 1.0)), defects.hair((0.3, 0.8), (0.014, 0.035))),
            region="mouth",
        ),
        "misplaced_mouth": Defect(change="misplaced_mouth"),
    },
)
