"""The Pareto front: what nothing else beats in everything that counts."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """The positions of the points that no other beats; more is better in each coordinate.

    One beats another that is no better in anything and worse in something, so equal points are all in the front.
    """
    return [i for i, point in enumerate(points) if not any(_beats(other, point) for other in points)]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
