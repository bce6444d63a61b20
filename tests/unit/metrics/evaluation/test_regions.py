"""Connected regions of masks, and the area under PRO up to a limit."""

from __future__ import annotations

import numpy as np
import pytest

from pybench.metrics.evaluation import regions
from tests.unit.metrics import oracles


def test_limit_inside_a_slanted_segment_by_hand() -> None:
    # Half-way from (0.1, 0.75) to (0.3, 1): 0.05 + 0.1 * (0.75 + 0.875) / 2 = 0.13125, over 0.2.
    assert regions.area_under_pro(oracles.two_regions(), limit=0.2) == pytest.approx(0.65625, abs=1e-12)


def test_regions_that_touch_at_a_corner_are_one() -> None:
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]], bool)
    index, count = regions.label(mask)
    assert count == 3
    assert index.tolist() == [0, 0, 1, 1, 2]


def test_a_region_ends_at_its_image() -> None:
    mask = np.ones((1, 2), bool)
    evaluation = oracles.pixel_evaluation(
        [mask, np.zeros((2, 2), bool), mask], [np.zeros(m) for m in [(1, 2), (2, 2), (1, 2)]]
    )
    assert regions.regions(evaluation).sizes.tolist() == [2, 2]
