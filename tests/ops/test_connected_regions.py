"""connected_regions: every backend against SciPy and against regions drawn by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pybench import _cpu
from pybench.ops import backends, record
from pybench.ops.connected_regions import connected_regions
from pybench.types import InputError

RUNNABLE = [name for name, reason in backends()["connected_regions"].items() if not reason]


def assert_equals_scipy(masks: NDArray[np.bool_], backend: str) -> None:
    labels, counts = connected_regions(masks, backend=backend)
    assert (labels.dtype, labels.shape) == (np.int32, masks.shape)
    assert (counts.dtype, counts.shape) == (np.int64, masks.shape[:1])
    for mask, ours, count in zip(masks, labels, counts, strict=True):
        expected, regions = ndimage.label(mask, np.ones((3, 3)))
        assert count == regions
        np.testing.assert_array_equal(ours, expected)


def test_native_code_is_there() -> None:
    assert RUNNABLE == ["portable", "reference"]


@pytest.mark.parametrize("backend", RUNNABLE)
@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(
        st.integers(0, 4),
        st.one_of(st.integers(0, 9), st.just(40)),
        st.one_of(st.integers(0, 9), st.integers(60, 70), st.sampled_from([127, 128, 129, 200])),
    ),
    share=st.sampled_from([0.0, 0.02, 0.3, 0.45, 0.6, 0.9, 1.0]),
)
def test_equals_scipy_on_noise(backend: str, seed: int, shape: tuple[int, int, int], share: float) -> None:
    assert_equals_scipy(np.random.default_rng(seed).random(shape) < share, backend)


def spiral(side: int) -> NDArray[np.bool_]:
    """One line from the centre outwards with a gap of one pixel between its turns."""
    mask = np.zeros((side, side), bool)
    y = x = side // 2
    dy, dx, length = 0, 1, 2
    mask[y, x] = True
    while True:
        for _ in range(2):
            for _ in range(length):
                y, x = y + dy, x + dx
                if not (0 <= y < side and 0 <= x < side):
                    return mask
                mask[y, x] = True
            dy, dx = dx, -dy
        length += 2


def comb(height: int, width: int) -> NDArray[np.bool_]:
    """Teeth that join in the last row only."""
    mask = np.zeros((height, width), bool)
    mask[:, ::2] = mask[-1] = True
    return mask


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("width", [1, 63, 64, 65, 131])
def test_shapes_that_are_hard_to_join(backend: str, width: int) -> None:
    checkers = np.indices((width, width)).sum(0) % 2 == 0
    diagonals = np.indices((width, width)).sum(0) % 4 == 0
    drawn = [checkers, diagonals, spiral(width), ~spiral(width), comb(width, width), comb(width, width)[::-1]]
    masks = np.stack([*drawn, *(mask.T for mask in drawn), *(mask[:, ::-1] for mask in drawn)])
    assert_equals_scipy(masks, backend)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_one_row_or_column_full_and_empty(backend: str) -> None:
    line = np.random.default_rng(0).random((3, 1, 300)) < 0.5
    for masks in (line, line.transpose(0, 2, 1), np.ones((2, 70, 70), bool), np.zeros((2, 70, 70), bool)):
        assert_equals_scipy(masks, backend)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_by_hand(backend: str) -> None:
    mask = np.array([[0, 0, 1, 0, 1], [1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]], bool)
    labels, counts = connected_regions(np.stack([mask, ~mask]), backend=backend)
    assert labels[0].tolist() == [[0, 0, 1, 0, 1], [2, 0, 0, 1, 0], [0, 2, 0, 0, 0], [0, 0, 0, 0, 3]]
    assert counts.tolist() == [3, 1]


@pytest.mark.parametrize("backend", RUNNABLE)
def test_layout_does_not_matter_and_masks_stay(backend: str) -> None:
    masks = np.random.default_rng(1).random((3, 70, 90)) < 0.4
    expected, counts = connected_regions(masks, backend=backend)
    wide = np.zeros((3, 140, 90), bool)
    wide[:, ::2] = masks
    frozen = masks.copy()
    frozen.flags.writeable = False
    odd = masks.astype(np.uint8) * 254  # true, though not one
    for same in (wide[:, ::2], np.asfortranarray(masks), frozen, odd.view(bool)):
        before = same.copy()
        labels, found = connected_regions(same, backend=backend)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(found, counts)
        np.testing.assert_array_equal(same, before)


def test_threads_do_not_change_a_label() -> None:
    masks = np.random.default_rng(2).random((37, 80, 80)) < 0.4
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(connected_regions(masks, backend="portable"))
    for labels, counts in results[1:]:
        np.testing.assert_array_equal(labels, results[0][0])
        np.testing.assert_array_equal(counts, results[0][1])


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((3, 3), bool), r"must be bool \[B, H, W\], but are bool of shape \[3, 3\]"),
        (np.zeros((1, 3, 3), np.uint8), "but are uint8"),
        (np.broadcast_to(np.False_, (1, 2**16, 2**15)), r"fewer than 2\^31 pixels"),
    ],
)
def test_wrong_arguments_are_refused(masks: NDArray[np.bool_], message: str) -> None:
    with pytest.raises(InputError, match=message):
        connected_regions(masks)


def test_the_record_says_what_ran() -> None:
    for backend in RUNNABLE:
        with record() as used:
            connected_regions(np.ones((1, 2, 2), bool), backend=backend)
        assert used == {"connected_regions": backend}


def test_the_extension_checks_what_it_gets() -> None:
    masks, labels, counts = np.ones((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.int32), np.zeros(2, np.int64)

    def call(
        masks: NDArray[np.uint8] = masks, labels: NDArray[np.int32] = labels, counts: NDArray[np.int64] = counts
    ) -> None:
        _cpu.connected_regions(masks.__dlpack__(), 1, labels.__dlpack__(), counts.__dlpack__())

    call()
    before = sys.getrefcount(masks)
    call()
    assert sys.getrefcount(masks) == before
    for wrong, message in (
        ({"masks": masks.astype(np.int8)}, "masks must be uint8, but is int8"),
        ({"masks": masks[0]}, "masks must have 3 dimensions"),
        ({"masks": masks[:, :, ::2]}, "masks must be contiguous"),
        ({"labels": labels.astype(np.int64)}, "labels must be int32"),
        ({"labels": labels[:, :2]}, r"labels must have the shape \[2, 3, 4\], but has \[2, 2, 4\]"),
        ({"labels": labels.transpose(0, 2, 1).copy().transpose(0, 2, 1)}, "labels must be contiguous"),
        ({"counts": counts[:1]}, r"counts must have the shape \[2\]"),
        ({"counts": counts.astype(np.int32)}, "counts must be int64"),
    ):
        with pytest.raises(ValueError, match=message):
            call(**wrong)
