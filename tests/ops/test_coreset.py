"""Greedy k-centre against the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pybench.ops.coreset import k_center


def greedy(points: np.ndarray, k: int, first: int) -> list[int]:
    """The definition: always the point whose nearest chosen one is farthest."""
    chosen = [first]
    while len(chosen) < k:
        to_chosen = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(1)
        to_chosen[chosen] = -1
        chosen.append(int(to_chosen.argmax()))
    return chosen


@settings(deadline=None, derandomize=True, max_examples=50)
@given(count=st.integers(1, 40), dimensions=st.integers(1, 6), seed=st.integers(0, 2**16), share=st.floats(0.01, 1))
def test_it_is_the_greedy_selection(count: int, dimensions: int, seed: int, share: float) -> None:
    points = np.random.default_rng(seed).normal(size=(count, dimensions))
    k = max(1, round(share * count))
    chosen = k_center(torch.from_numpy(points), k, seed=seed).tolist()
    assert chosen == greedy(points, k, chosen[0])
    assert len(set(chosen)) == k


def test_by_hand() -> None:
    points = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    chosen = k_center(points, 4, seed=0).tolist()
    assert chosen == {0: [0, 2, 3, 1], 1: [1, 2, 3, 0], 2: [2, 0, 3, 1], 3: [3, 2, 0, 1]}[chosen[0]]


def test_duplicates_are_chosen_once_each() -> None:
    chosen = k_center(torch.ones(5, 2), 5, seed=3)
    assert sorted(chosen.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("points", "k"), [(torch.ones(3), 1), (torch.ones(3, 2), 0), (torch.ones(3, 2), 4)])
def test_wrong_arguments_are_refused(points: torch.Tensor, k: int) -> None:
    with pytest.raises(ValueError, match="must"):
        k_center(points, k, seed=0)
