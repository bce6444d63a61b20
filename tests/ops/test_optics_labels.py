"""optics_labels: every backend against scikit-learn's OPTICS on the same matrix of distances."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.cluster import OPTICS

from pybench import _cpu
from pybench.ops import dispatch, optics_labels, record
from pybench.types import InputError

BACKENDS = [name for name, reason in dispatch.backends()["optics_labels"].items() if not reason]
NATIVE = [name for name in BACKENDS if name != "reference"]

Matrix = NDArray[np.float64]
Kind = Callable[[np.random.Generator, int], Matrix]


def between(points: Matrix) -> Matrix:
    return np.sqrt(np.square(points[:, None] - points).sum(axis=2))


def symmetric(values: Matrix) -> Matrix:
    upper = np.triu(values, 1)
    return upper + upper.T


def scattered(generator: np.random.Generator, count: int) -> Matrix:
    return between(generator.normal(size=(count, 3)))


def groups(generator: np.random.Generator, count: int) -> Matrix:
    """Dense and loose groups; distances over 9, which scikit-learn's rounding does not keep when it is repeated."""
    centers = generator.normal(size=(4, 2)) * 1000
    group = generator.integers(0, 4, count)
    return between(centers[group] + generator.normal(size=(count, 2)) * 10.0 ** group[:, None])


def duplicates(generator: np.random.Generator, count: int) -> Matrix:
    return between(generator.normal(size=(1 + count // 3, 2))[generator.integers(0, 1 + count // 3, count)])


def whole_numbers(generator: np.random.Generator, count: int) -> Matrix:
    """Many ties; zeros between unequal examples."""
    return np.round(2 * scattered(generator, count))


def blocks(generator: np.random.Generator, count: int) -> Matrix:
    """Equal distances within and between groups, in tenths, which are not exact."""
    group = np.sort(generator.integers(0, 4, count))
    levels = symmetric(generator.integers(5, 200, (4, 4)) / 10) + np.diag(generator.integers(1, 40, 4) / 10)
    return levels[group[:, None], group] * (1 - np.eye(count))


def equal(generator: np.random.Generator, count: int) -> Matrix:
    return generator.choice([0.0, 0.3, 12.7]) * (1 - np.eye(count))


def chain(generator: np.random.Generator, count: int) -> Matrix:
    """Steps that shrink or grow by xi's factor 0.95, give or take a last bit, along a line."""
    steps = 0.95 ** generator.integers(-3, 4, count).cumsum()
    return between(steps.cumsum()[:, None])


def scikit_learn(distances: Matrix, min_samples: int) -> list[int]:
    with warnings.catch_warnings(action="ignore"), config_context(assume_finite=True, skip_parameter_validation=True):
        labels: list[int] = OPTICS(min_samples=min_samples, metric="precomputed").fit(distances).labels_.tolist()
    return labels


@pytest.mark.parametrize("kind", [scattered, groups, duplicates, whole_numbers, blocks, equal, chain])
def test_equal_scikit_learn_on_every_matrix(kind: Kind) -> None:
    """Over all kinds 504 matrices; half have a small neighbourhood, as the selection uses it."""
    structured = 0
    for seed in range(72):
        generator = np.random.default_rng(seed)
        count = 2 + int(119 * generator.uniform() ** 5)
        min_samples = int(generator.integers(2, (min(count, 5) if seed % 2 else count) + 1))
        distances = kind(generator, count)
        expected = scikit_learn(distances, min_samples)
        for backend in BACKENDS:
            labels = optics_labels(distances, min_samples, backend=backend)
            assert labels.dtype == np.int64
            assert labels.tolist() == expected, f"{backend}, seed {seed}: {count} examples, min_samples {min_samples}"
        assert max(expected) >= 0, "the native selection relies on it that there is a region"
        structured += len(set(expected)) > 1
    assert structured > 10 or kind is equal


def test_says_what_ran() -> None:
    with record() as used:
        optics_labels(np.zeros((3, 3)), 2)
    assert used == {"optics_labels": BACKENDS[0]}


@pytest.mark.parametrize("backend", BACKENDS)
def test_takes_any_layout_and_leaves_it_alone(backend: str) -> None:
    distances = scattered(np.random.default_rng(0), 30)
    expected = optics_labels(distances, 3, backend=backend)
    for same in (np.asfortranarray(distances), np.repeat(distances, 2, axis=1)[:, ::2]):
        same.setflags(write=False)
        assert np.array_equal(optics_labels(same, 3, backend=backend), expected)


@pytest.mark.parametrize(
    ("distances", "min_samples", "message"),
    [
        (np.zeros((2, 3)), 2, "must be square"),
        (np.zeros(4), 2, "must be square"),
        (np.zeros((3, 3)), 4, r"min_samples must lie in \[2, 3\], but is 4"),
        (np.zeros((3, 3)), 1, r"min_samples must lie in \[2, 3\], but is 1"),
        (np.zeros((0, 0)), 2, "min_samples must lie in"),
        (np.full((3, 3), np.nan), 2, "distances must be finite"),
        (np.full((3, 3), np.inf), 2, "distances must be finite"),
    ],
)
def test_refuses_with_a_reason(distances: Matrix, min_samples: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        optics_labels(distances, min_samples)


def test_the_extension_checks_its_arguments() -> None:
    square, labels = torch.zeros(3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    for distances, min_samples, output in [
        (square[:, :2], 2, labels),
        (square[:2], 2, labels),
        (square.expand(2, 3, 3), 2, labels),
        (square.float(), 2, labels),
        (square.T[:, :2].T, 2, labels),
        (square, 1, labels),
        (square, 4, labels),
        (square, 2, labels[:2]),
        (square, 2, labels.int()),
    ]:
        with pytest.raises(ValueError, match="must"):
            _cpu.optics_labels("portable", distances.__dlpack__(), min_samples, output.__dlpack__())
    # What Python refuses is safe, though its labels mean nothing.
    for wild in (torch.nan, torch.inf, -torch.inf, -1.0):
        _cpu.optics_labels("portable", torch.full_like(square, wild).__dlpack__(), 2, labels.__dlpack__())
        assert labels.min() >= -1
        assert labels.max() < 3
