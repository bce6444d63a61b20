"""Hazelnut: a brown nut on a dark ground, its point one way and its pale scar the other, turned at will."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter, lattice_noise
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Shell with meridian streaks, the pale rough scar at its base, and round shading."""
    canvas.picture[:] = jitter(dice("ground"), (0.07, 0.07, 0.075), 0.004)
    canvas.shade(1 + 0.3 * canvas.noise(dice("cloth"), 0.05))
    rng = dice("shape")
    wide, tall = 0.62 + float(rng.normal(0, 0.02)), 0.70 + float(rng.normal(0, 0.02))
    outline = shapes.ellipse(canvas, (0, 0), (wide, tall)) + 0.025 * canvas.noise(rng, 0.6)
    outline = shapes.smooth_union(outline, shapes.circle(canvas, (0, -tall + 0.05), 0.10), 0.25)
    shell = canvas.fill(outline, jitter(dice("shell"), (0.56, 0.33, 0.16), 0.015), soft=1.5)
    bulge = canvas.x / np.sqrt(np.maximum(1 - (canvas.y / (tall * 1.12)) ** 2, 0.05))
    rng = dice("streaks")
    streaks = lattice_noise(rng, bulge / 0.035, canvas.y / 1.1) + 0.5 * lattice_noise(
        rng, bulge / 0.017, canvas.y / 0.6
    )
    canvas.shade(1 + 0.22 * streaks + 0.10 * canvas.noise(dice("blotches"), 0.25, octaves=2), shell)
    scar = _scar(canvas, dice, tall, shell) if change != "missing_scar" else np.zeros(canvas.x.shape)
    if change == "print":
        _print(canvas, dice, shell)
    lamp = dice("lamp").normal(0.8, 0.25) - canvas.pose.angle
    light = (canvas.x * np.cos(lamp) + canvas.y * np.sin(lamp)) / 0.7
    canvas.shade(0.45 + 0.6 * np.sqrt(np.maximum(1 - (canvas.x**2 + canvas.y**2) / 0.62, 0)) + 0.12 * light, shell)
    return {"body": canvas.cover(outline + 0.08), "scar": scar}


def _scar(canvas: Canvas, dice: Dice, tall: float, shell: Field) -> Field:
    """The round base where the nut sat in its husk."""
    rng = dice("scar")
    x, y = float(rng.normal(0, 0.04)), tall * 0.80 + float(rng.normal(0, 0.03))
    distance = shapes.ellipse(canvas, (x, y), (0.34, 0.19)) + 0.03 * canvas.noise(rng, 0.15)
    cover = canvas.cover(distance, soft=4) * shell
    rough = 0.95 + 0.14 * canvas.noise(rng, 0.04, octaves=2)
    canvas.blend(cover, np.asarray((0.68, 0.52, 0.34)) * rough[..., None])
    return cover


def _print(canvas: Canvas, dice: Dice, shell: Field) -> None:
    """A printed mark of some strokes that does not belong on a nut."""
    rng = dice("print")
    x, y = (float(value) for value in rng.uniform(-0.25, 0.25, 2))
    size = defects.drawn(rng, (0.06, 0.16))
    ink = np.full(canvas.x.shape, np.inf)
    for row in range(2):
        points: list[Point] = [
            (x + size * float(a), y + size * (row + 0.4 * float(b))) for a, b in rng.uniform(-1, 1, (5, 2))
        ]
        np.minimum(ink, shapes.polyline(canvas, points, 0.012), out=ink)
    canvas.blend(canvas.cover(ink) * shell * 0.85, (0.85, 0.84, 0.80) if rng.random() < 0.5 else (0.10, 0.09, 0.09))


HAZELNUT = Category(
    name="hazelnut",
    kind="object",
    draw=draw,
    exposure=(0.16, 0.185),
    poses=Poses(shift=0.05, angle=np.pi, scale=0.04),
    strength=0.4,
    defects={
        "crack": Defect(paint=defects.crack((0.3, 0.9), (0.016, 0.045), (0.6, 0.95))),
        "cut": Defect(paint=defects.cut((0.2, 0.6), (0.02, 0.05))),
        "hole": Defect(paint=defects.hole((0.03, 0.10))),
        "missing_scar": Defect(change="missing_scar"),
        "print": Defect(change="print"),
    },
)
