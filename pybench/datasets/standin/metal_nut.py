"""Metal nut: a flat nut with four slanted lobes around a threaded hole, on a dark ground, turned at will."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field

LOBES = 4


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Brushed steel disc with lobes; the back (flipped) has no collar and slants the other way."""
    canvas.picture[:] = jitter(dice("ground"), (0.10, 0.10, 0.11), 0.004)
    canvas.shade(1 + 0.10 * canvas.noise(dice("mat"), 0.06, octaves=2))
    flipped = change == "flip"
    outline = _outline(canvas, dice, change, -1.0 if flipped else 1.0)
    canvas.fill(outline - 0.05, (0.04, 0.04, 0.04), opacity=0.6, soft=10)
    body = canvas.fill(outline, jitter(dice("steel"), (0.50, 0.50, 0.51), 0.004))
    lamp = dice("lamp").normal(0.8, 0.25) - canvas.pose.angle
    around = np.arctan2(canvas.y, canvas.x)
    away = np.sqrt(canvas.x**2 + canvas.y**2)
    brushed = canvas.noise(dice("brushed"), (0.5, 0.012), angle=dice("brush").normal(0.4, 0.1))
    canvas.shade(1 + 0.06 * brushed + 0.05 * canvas.noise(dice("tarnish"), 0.3, octaves=2), body)
    edge = canvas.cover(np.abs(outline + 0.025) - 0.012, soft=3)
    canvas.shade(1 + 0.25 * edge * np.cos(around - lamp), body)
    if not flipped:
        collar = canvas.cover(np.abs(away - 0.42) - 0.035, soft=4)
        canvas.shade(1 + collar * (0.15 + 0.25 * np.cos(around - lamp + np.pi)), body)
    canvas.fill(away - 0.33, (0.30, 0.30, 0.31), soft=2)
    thread = 0.5 + 0.5 * np.cos((away - 0.27) * 2 * np.pi / 0.032 + around)
    wall = canvas.cover(np.abs(away - 0.30) - 0.028)
    canvas.blend(wall * thread * 0.6, (0.50, 0.49, 0.48))
    canvas.fill(away - 0.26, (0.05, 0.05, 0.055), soft=2)
    solid = body * canvas.cover(0.36 - away)
    return {"body": solid}


def _outline(canvas: Canvas, dice: Dice, change: str, slant: float) -> Field:
    """Signed distance of the silhouette: a disc and four leaning lobes, of which one may be bent."""
    outline = shapes.circle(canvas, (0, 0), 0.60)
    rng = dice("bend")
    bent, lean, short = (
        int(rng.integers(LOBES)),
        rng.uniform(0.2, 0.6) * rng.choice((-1, 1)),
        rng.uniform(-0.05, 0.08),
    )
    for lobe in range(LOBES):
        angle = lobe * 2 * np.pi / LOBES
        reach = 0.66
        if change == "bent" and lobe == bent:
            angle, reach = angle + lean, reach - short
        centre = (float(reach * np.cos(angle)), float(reach * np.sin(angle)))
        tooth = shapes.box(canvas, centre, (0.20, 0.15), 0.07, angle + slant * 0.45)
        outline = shapes.smooth_union(outline, tooth, 0.12)
    return outline


def _tinted(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """Paint of another colour rubbed into a patch."""
    distance = defects.irregular(canvas, rng, defects.spot(canvas, rng, region), defects.drawn(rng, (0.09, 0.24)))
    colours = ((0.55, 0.22, 0.20), (0.25, 0.35, 0.60), (0.72, 0.66, 0.40), (0.22, 0.22, 0.24))
    canvas.blend(canvas.cover(distance, soft=3) * region * rng.uniform(0.7, 1.0), colours[int(rng.integers(4))])


METAL_NUT = Category(
    name="metal_nut",
    kind="object",
    draw=draw,
    exposure=(0.26, 0.30),
    poses=Poses(shift=0.02, angle=np.pi, scale=0.01),
    strength=0.4,
    defects={
        "bent": Defect(change="bent"),
        "color": Defect(paint=_tinted),
        "flip": Defect(change="flip"),
        "scratch": Defect(paint=defects.scratch((0.3, 0.9), (0.014, 0.04), (0.3, 0.55))),
    },
)
