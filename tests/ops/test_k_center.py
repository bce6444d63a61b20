"""Greedy k-centre: every backend against the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pybench.ops import dispatch
from pybench.ops.k_center import SKETCH, k_center, make_sketches
from pybench.types import InputError

BACKENDS = [name for name, reason in dispatch.backends()["k_center"].items() if not reason]


def greedy(points: NDArray[np.float64], k: int, first: int) -> list[int]:
    """The definition: always the point whose nearest chosen one is farthest."""
    chosen = [first]
    while len(chosen) < k:
        to_chosen = np.square(points[:, None] - points[chosen]).sum(2).min(1)
        to_chosen[chosen] = -1
        chosen.append(int(to_chosen.argmax()))
    return chosen


def radius(points: NDArray[np.float64], chosen: list[int]) -> float:
    return float(np.sqrt(np.square(points[:, None] - points[chosen]).sum(2).min(1).max()))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    count=st.integers(1, 60), dimensions=st.integers(1, 100), seed=st.integers(0, 2**16), share=st.floats(0.01, 1),
    levels=st.sampled_from([2, 3, 9, 1000]),
)  # fmt: skip
def test_it_is_the_greedy_selection(
    backend: str, count: int, dimensions: int, seed: int, share: float, levels: int
) -> None:
    """On small whole numbers every backend computes exactly, so ties and duplicates must be settled alike."""
    points = np.random.default_rng(seed).integers(0, levels, (count, dimensions)).astype(np.float64)
    k = max(1, round(share * count))
    chosen = k_center(torch.from_numpy(points).float(), k, seed=seed, backend=backend).tolist()
    assert chosen == greedy(points, k, chosen[0])
    assert len(set(chosen)) == k


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_clustered_points_it_covers_as_well_as_the_definition(backend: str) -> None:
    generator = np.random.default_rng(3)
    points = (generator.normal(size=(20, 24)) * 10)[generator.integers(0, 20, 500)] + generator.normal(size=(500, 24))
    chosen = k_center(torch.from_numpy(points).float(), 60, seed=0, backend=backend).tolist()
    assert radius(points, chosen) == pytest.approx(radius(points, greedy(points, 60, chosen[0])), rel=1e-2)


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend != "reference"])
def test_threads_do_not_change_the_selection(backend: str) -> None:
    # The half that the first centre is not in is so large that its distances are shared out among threads.
    points = torch.randn(40_000, 64, generator=torch.Generator().manual_seed(0))
    points[::2, 0] += 1000
    selections = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        selections.append(k_center(points, 60, seed=1, backend=backend))
    assert torch.equal(*selections)


@pytest.mark.parametrize("backend", BACKENDS)
def test_far_from_the_origin_and_on_a_plane(backend: str) -> None:
    """Distances are small beside the coordinates, and the points extend in fewer directions than a sketch has."""
    generator = np.random.default_rng(5)
    points = (generator.normal(size=(400, 3)) @ generator.normal(size=(3, 90)) + 1000).astype(np.float32)
    chosen = k_center(torch.from_numpy(points), 50, seed=0, backend=backend).tolist()
    exact = points.astype(np.float64)
    assert radius(exact, chosen) == pytest.approx(radius(exact, greedy(exact, 50, chosen[0])), rel=1e-2)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(count=st.integers(1, 50), dimensions=st.integers(65, 200), rank=st.integers(0, 60), offset=st.floats(-1e3, 1e3))
def test_sketches_are_never_farther_apart_than_points(count: int, dimensions: int, rank: int, offset: float) -> None:
    generator = torch.Generator().manual_seed(count)
    spread = torch.randn(count, rank, generator=generator) @ torch.randn(rank, dimensions, generator=generator)
    points = spread + offset
    sketches = make_sketches(points)
    assert sketches.shape == (count, SKETCH)
    exact, bounds = torch.pdist(points.double()), torch.pdist(sketches.double())
    rounding = 1e-6 * float(sketches.norm(dim=1).max())
    assert bool((bounds <= exact * (1 + 1e-6) + rounding).all())
    if rank < SKETCH:
        assert torch.allclose(bounds, exact, rtol=1e-3, atol=10 * rounding), "nothing of them is left out"


@pytest.mark.parametrize("backend", BACKENDS)
def test_by_hand(backend: str) -> None:
    points = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    chosen = k_center(points, 4, seed=0, backend=backend).tolist()
    assert chosen == {0: [0, 2, 3, 1], 1: [1, 2, 3, 0], 2: [2, 0, 3, 1], 3: [3, 2, 0, 1]}[chosen[0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_duplicates_are_chosen_once_each(backend: str) -> None:
    chosen = k_center(torch.ones(5, 2), 5, seed=3, backend=backend).tolist()
    assert sorted(chosen) == [0, 1, 2, 3, 4]
    assert chosen[1:] == sorted(chosen[1:]), "the smallest index wins ties"


def test_float64_runs_on_the_reference_and_the_record_says_so() -> None:
    with dispatch.record() as used:
        k_center(torch.rand(9, 2, dtype=torch.float64), 3, seed=0)
    assert used == {"k_center": "reference"}
    with pytest.raises(InputError, match=r"it takes float32, not torch\.float64"):
        k_center(torch.rand(9, 2, dtype=torch.float64), 3, seed=0, backend="portable")


@pytest.mark.parametrize(
    ("points", "k", "message"),
    [
        (torch.ones(3), 1, r"must be \[N, D\]"),
        (torch.ones(3, 2), 0, "must lie in"),
        (torch.ones(3, 2), 4, "must lie in"),
        (torch.tensor([[1.0], [float("nan")]]), 1, "finite"),
    ],
)
def test_wrong_arguments_are_refused(points: torch.Tensor, k: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        k_center(points, k, seed=0)
