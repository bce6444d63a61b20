"""The Pareto front: the points that no other point dominates."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """The indices of the points that no other point dominates. In each coordinate, more is better.

    A point dominates another if it is at least as good in every coordinate and better in one. So equal points are all
    in the front, or none is.
    """
    return [i for i, point in enumerate(points) if not any(_dominates(other, point) for other in points)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
