"""Signed distances of plane shapes, in object units: negative inside, positive outside, zero on the outline.

Every function takes something with coordinate arrays ``x`` and ``y`` (a ``Canvas`` or a window of one) first and
returns float64 of their shape. Distances are exact unless the docstring says otherwise. Formulas: Inigo Quilez,
"2D distance functions".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
Point = tuple[float, float]


class Plane(Protocol):
    """What a shape needs to know of a canvas."""

    x: Field
    y: Field


def circle(plane: Plane, centre: Point, radius: float) -> Field:
    """Disc."""
    return np.sqrt((plane.x - centre[0]) ** 2 + (plane.y - centre[1]) ** 2) - radius


def ring(plane: Plane, centre: Point, radius: float, width: float) -> Field:
    """Annulus of mean radius ``radius``."""
    return np.abs(circle(plane, centre, radius)) - width / 2


def ellipse(plane: Plane, centre: Point, radii: Point, angle: float = 0.0) -> Field:
    """Ellipse; first-order distance (exact on the outline only). ``angle`` in radians turns the first axis."""
    u, v = turned(plane, centre, angle)
    a, b = u / radii[0], v / radii[1]
    level: Field = np.sqrt(a**2 + b**2)
    slope = np.sqrt((a / radii[0]) ** 2 + (b / radii[1]) ** 2)
    distance: Field = level * (level - 1) / np.maximum(slope, 1e-9)
    return distance


def box(plane: Plane, centre: Point, half: Point, rounding: float = 0.0, angle: float = 0.0) -> Field:
    """Rectangle of half sides ``half`` whose corners are rounded by ``rounding``."""
    u, v = turned(plane, centre, angle)
    dx, dy = np.abs(u) - half[0] + rounding, np.abs(v) - half[1] + rounding
    outside: Field = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    distance: Field = outside + np.minimum(np.maximum(dx, dy), 0) - rounding
    return distance


def capsule(plane: Plane, start: Point, end: Point, radius: float) -> Field:
    """Thick line with round ends."""
    ax, ay = end[0] - start[0], end[1] - start[1]
    px, py = plane.x - start[0], plane.y - start[1]
    along = np.clip((px * ax + py * ay) / max(ax * ax + ay * ay, 1e-12), 0, 1)
    return np.sqrt((px - along * ax) ** 2 + (py - along * ay) ** 2) - radius


def polyline(plane: Plane, points: Sequence[Point], radius: float) -> Field:
    """Thick open line through points."""
    distance = np.full(plane.x.shape, np.inf)
    for start, end in pairwise(points):
        np.minimum(distance, capsule(plane, start, end, radius), out=distance)
    return distance


def polygon(plane: Plane, points: Sequence[Point]) -> Field:
    """Closed polygon, convex or not."""
    distance = polyline(plane, [*points, points[0]], 0.0)
    inside = np.zeros(plane.x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 != y1:
            crosses = (plane.y < y0) != (plane.y < y1)
            inside ^= crosses & (plane.x < (x1 - x0) * (plane.y - y0) / (y1 - y0) + x0)
    return np.where(inside, -distance, distance)


def smooth_union(first: Field, second: Field, blend: float) -> Field:
    """Union whose inner corner is rounded over about ``blend``."""
    overlap = np.maximum(blend - np.abs(first - second), 0) / blend
    union: Field = np.minimum(first, second) - overlap**2 * blend / 4
    return union


def turned(plane: Plane, centre: Point, angle: float) -> tuple[Field, Field]:
    """Coordinates relative to ``centre`` in axes turned by ``angle`` radians from x towards y (clockwise on screen)."""
    dx, dy = plane.x - centre[0], plane.y - centre[1]
    if angle == 0:
        return dx, dy
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return cos * dx + sin * dy, cos * dy - sin * dx
