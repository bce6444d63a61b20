"""Painters of structural defects: each changes a finished picture in place, within a region (cover [H, W] in [0, 1]).

A painter is made by a function of this module (``scratch(...)``) and called as ``painter(canvas, rng, region)``. Sizes
are in object units (a pixel of a 256-pixel image is 1/128), drawn log-uniformly from a range, so that small, hard
defects are as frequent as large ones. Tones are drawn on both sides of the surface's own colour, so that the mean
brightness of an image says little about them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import shapes
from .canvas import Canvas
from .shapes import Field, Point

Painter = Callable[[Canvas, np.random.Generator, Field], None]
Range = tuple[float, float]
PIXEL = 1 / 128

FOREIGN = (
    (0.12, 0.11, 0.10),
    (0.86, 0.84, 0.80),
    (0.55, 0.18, 0.14),
    (0.25, 0.35, 0.55),
    (0.70, 0.62, 0.30),
    (0.35, 0.50, 0.30),
)


def scratch(
    length: Range = (0.12, 0.7), width: Range = (0.8 * PIXEL, 2.5 * PIXEL), contrast: Range = (0.12, 0.35)
) -> Painter:
    """Slightly bent thin line, lighter or darker than the surface."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        path = walk(rng, spot(canvas, rng, region), drawn(rng, length), bend=0.12, steps=5)
        cover = canvas.cover(shapes.polyline(canvas, path, drawn(rng, width) / 2)) * region
        canvas.picture += (_either_sign(rng) * drawn(rng, contrast) * cover)[..., None]

    return paint


def crack(
    length: Range = (0.15, 0.7), width: Range = (0.8 * PIXEL, 2.5 * PIXEL), darkness: Range = (0.35, 0.8)
) -> Painter:
    """Jagged line with a branch or two: dark with a light lip, or pale where the surface itself is dark."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        reach, thick = drawn(rng, length), drawn(rng, width)
        path = walk(rng, spot(canvas, rng, region), reach, bend=0.55, steps=9)
        distance = shapes.polyline(canvas, path, thick / 2)
        for _ in range(int(rng.integers(0, 3))):
            fork = path[int(rng.integers(2, len(path) - 2))]
            distance = np.minimum(distance, shapes.polyline(canvas, walk(rng, fork, reach * 0.35, 0.5, 4), thick / 3))
        x, y = path[len(path) // 2]
        nearest = np.argmin((canvas.x - x) ** 2 + (canvas.y - y) ** 2)
        if canvas.picture.reshape(-1, 3)[nearest].mean() < 0.2:
            canvas.blend(0.6 * drawn(rng, darkness) * canvas.cover(distance) * region, (0.62, 0.60, 0.58))
            return
        canvas.picture += (0.06 * canvas.cover(distance - thick) * region)[..., None]
        canvas.shade(1 - drawn(rng, darkness) * canvas.cover(distance) * region)

    return paint


def hole(radius: Range = (0.025, 0.12), colour: tuple[float, float, float] | None = None) -> Painter:
    """Irregular hole, dark (or showing ``colour``), with a lit rim."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        distance = irregular(canvas, rng, spot(canvas, rng, region), drawn(rng, radius))
        angle = rng.uniform(0, 2 * np.pi)
        down, right = np.gradient(distance, 2 / canvas.size)
        rim = canvas.cover(np.abs(distance) - 2 * PIXEL, soft=2) * region
        if colour is None:
            canvas.shade(1 - 0.75 * canvas.cover(distance, soft=2) * region)
        else:
            canvas.blend(canvas.cover(distance) * region, colour)
        canvas.picture += (0.16 * rim * (right * np.cos(angle) + down * np.sin(angle)))[..., None]

    return paint


def blob(radius: Range = (0.02, 0.12), opacity: Range = (0.5, 0.95)) -> Painter:
    """Contamination: a lump of some foreign colour, shaded as a drop."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        size = drawn(rng, radius)
        distance = irregular(canvas, rng, spot(canvas, rng, region), size)
        dome = 1 + 0.35 * np.clip(-distance / size, 0, 1)
        colour = np.asarray(FOREIGN[int(rng.integers(len(FOREIGN)))]) * dome[..., None]
        canvas.blend(canvas.cover(distance, soft=1.5) * region * drawn(rng, opacity), colour)

    return paint


def hair(length: Range = (0.2, 0.9), width: Range = (1.0 * PIXEL, 2.0 * PIXEL)) -> Painter:
    """Contamination: a curled fibre of some foreign colour."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        path = walk(rng, spot(canvas, rng, region), drawn(rng, length), bend=0.45, steps=12)
        cover = canvas.cover(shapes.polyline(canvas, path, drawn(rng, width) / 2)) * region
        canvas.blend(0.85 * cover, FOREIGN[int(rng.integers(len(FOREIGN)))])

    return paint


def stain(radius: Range = (0.06, 0.25), contrast: Range = (0.08, 0.25)) -> Painter:
    """Discoloration: a soft-edged patch, tinted, lighter or darker."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        size = drawn(rng, radius)
        distance = irregular(canvas, rng, spot(canvas, rng, region), size)
        tint = _either_sign(rng) + rng.normal(0, 0.35, 3)
        cover = canvas.cover(distance, soft=max(1.0, 0.35 * size / canvas.pixel)) * region
        canvas.picture += cover[..., None] * (tint * drawn(rng, contrast))

    return paint


def cut(length: Range = (0.12, 0.5), gape: Range = (1.5 * PIXEL, 5 * PIXEL)) -> Painter:
    """A straight cut that gapes in its middle: dark inside, a light edge on one side."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        angle, reach, wide = rng.uniform(0, np.pi), drawn(rng, length), drawn(rng, gape)
        centre = spot(canvas, rng, region)
        _, across = shapes.turned(canvas, centre, angle)
        lens = shapes.ellipse(canvas, centre, (reach / 2, wide / 2), angle)
        edge = canvas.cover(lens - 1.5 * PIXEL) * region * (across > 0)
        canvas.picture += (0.14 * edge)[..., None]
        canvas.shade(1 - 0.8 * canvas.cover(lens) * region)

    return paint


def metal(radius: Range = (0.02, 0.08)) -> Painter:
    """Contamination: an angular flake of metal with a bright and a dark face."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        (x, y), size = spot(canvas, rng, region), drawn(rng, radius)
        ways = np.sort(rng.uniform(0, 2 * np.pi, 6))
        corners = [
            (x + size * float(r * np.cos(a)), y + size * float(r * np.sin(a)))
            for a, r in zip(ways, rng.uniform(0.5, 1.1, 6), strict=True)
        ]
        _, across = shapes.turned(canvas, (x, y), rng.uniform(0, np.pi))
        face = np.where(across > 0.1 * size * canvas.noise(rng, 0.05), 0.92, 0.38) * (
            1 + 0.15 * canvas.noise(rng, 0.015)
        )
        canvas.blend(
            canvas.cover(shapes.polygon(canvas, corners)) * region, face[..., None] * np.asarray((0.97, 0.98, 1.0))
        )

    return paint


def glue(radius: Range = (0.05, 0.2)) -> Painter:
    """Contamination: a drop of clear glue that pales what lies beneath and carries a highlight."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        size = drawn(rng, radius)
        distance = irregular(canvas, rng, spot(canvas, rng, region), size)
        canvas.blend(canvas.cover(distance, soft=2) * region * 0.4, (0.58, 0.55, 0.46))
        _, across = shapes.turned(canvas, (0.0, 0.0), rng.uniform(0, np.pi))
        shine = canvas.cover(np.abs(distance + 0.3 * size) - 1.5 * PIXEL, soft=3) * (across > 0) * region
        canvas.picture += (0.3 * shine)[..., None]

    return paint


def one_of(*painters: Painter) -> Painter:
    """One of several painters, by chance."""

    def paint(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
        painters[int(rng.integers(len(painters)))](canvas, rng, region)

    return paint


def drawn(rng: np.random.Generator, limits: Range) -> float:
    """A value drawn log-uniformly between two positive limits."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def _either_sign(rng: np.random.Generator) -> float:
    return -1.0 if rng.random() < 0.5 else 1.0


def spot(canvas: Canvas, rng: np.random.Generator, region: Field) -> Point:
    """A point drawn uniformly from a region, away from the image's border."""
    margin = canvas.size // 16
    inner = np.flatnonzero(region[margin:-margin, margin:-margin] > 0.9)
    place = inner[int(rng.random() * len(inner))]
    row, column = divmod(int(place), canvas.size - 2 * margin)
    return float(canvas.x[row + margin, column + margin]), float(canvas.y[row + margin, column + margin])


def walk(rng: np.random.Generator, middle: Point, length: float, bend: float, steps: int) -> list[Point]:
    """A wandering path of that length through about ``middle``; ``bend`` is the turn per step in radians."""
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, steps))
    x, y = np.cumsum(np.cos(heading)) * length / steps, np.cumsum(np.sin(heading)) * length / steps
    x, y = x - x[steps // 2] + middle[0], y - y[steps // 2] + middle[1]
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def irregular(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> Field:
    """Distance to an irregular round shape."""
    stretch = rng.uniform(0.7, 1.0)
    outline = shapes.ellipse(canvas, centre, (radius, radius * stretch), rng.uniform(0, np.pi))
    return outline + 0.3 * radius * canvas.noise(rng, max(0.7 * radius, 3 * PIXEL))
