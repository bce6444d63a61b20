"""connected_regions on 1000 masks of 256 x 256 pixels: defects, and noise with thousands of regions in each mask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pybench.ops.connected_regions import connected_regions

COUNT, SIDE = 1000, 256


def defects() -> NDArray[np.bool_]:
    """One to three ellipses in each mask, 1 % of all pixels."""
    generator = np.random.default_rng(0)
    masks = np.zeros((COUNT, SIDE, SIDE), bool)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    for mask in masks:
        for _ in range(generator.integers(1, 4)):
            (y, x), (a, b) = generator.integers(0, SIDE, 2), generator.uniform(4, 18, 2)
            mask |= ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
    return masks


def noise() -> NDArray[np.bool_]:
    return np.random.default_rng(0).random((COUNT, SIDE, SIDE), np.float32) < 0.1


def by_scipy(masks: NDArray[np.bool_]) -> None:
    for mask in masks:
        ndimage.label(mask, np.ones((3, 3)))


@pytest.mark.parametrize("make", [defects, noise])
def test_masks(compare: Callable[..., None], make: Callable[[], NDArray[np.bool_]]) -> None:
    masks = make()
    compare(
        op="connected_regions",
        case=f"{COUNT} masks, {make.__name__}",
        ours=lambda: connected_regions(masks),
        baselines={"scipy.ndimage.label": lambda: by_scipy(masks)},
    )
