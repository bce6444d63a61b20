"""Filters on score maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from pybench.images.score_maps import mean_filter, median_filter, smooth, upsample


def test_upsampling_keeps_constants_and_smoothing_keeps_the_mean_of_a_periodic_map() -> None:
    assert torch.equal(upsample(torch.ones(2, 3, 3), 9), torch.ones(2, 9, 9))
    maps = torch.zeros(1, 41, 41)
    maps[0, 20, 20] = 1.0
    blurred = smooth(maps, 2.0)
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(blurred[0, 20, 20]) == pytest.approx(1 / (2 * np.pi * 4), rel=1e-2)
    assert torch.equal(smooth(maps, 0), maps)


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(mean_filter, ndimage.uniform_filter), (median_filter, ndimage.median_filter)]
)
def test_filters_against_scipy(ours: Callable[[Tensor, int], Tensor], theirs: Callable[..., Any]) -> None:
    maps = values(2, 9, 12)
    expected = np.stack([theirs(each.numpy(), 5, mode="nearest") for each in maps])
    np.testing.assert_allclose(ours(maps, 5).numpy(), expected, atol=1e-6)
