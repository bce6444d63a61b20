"""The Pareto front."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pybench.results import pareto


def test_a_front_by_hand() -> None:
    points = [(3, 1), (2, 2), (1, 3), (2, 1), (1, 1), (2, 2)]
    assert pareto.front(points) == [0, 1, 2, 5]
    assert pareto.front([]) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_each_point_is_in_the_front_or_beaten_by_one_of_it(points: list[tuple[int, int, int]]) -> None:
    front = set(pareto.front(points))
    for i, point in enumerate(points):
        above = [j for j in front if points[j] != point and all(a >= b for a, b in zip(points[j], point, strict=True))]
        assert (i in front) == (not above)
