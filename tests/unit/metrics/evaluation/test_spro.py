"""sPRO against its definition, against PRO, and by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybench.metrics.evaluation.regions import area_under_pro
from pybench.metrics.evaluation.spro import area_under_spro
from pybench.types import Evaluation, Region, UndefinedMetricError
from tests.unit.metrics import oracles

LIMITS = (Fraction(5, 100), Fraction(30, 100), Fraction(1))


@st.composite
def overlapping(draw: st.DrawFn) -> Evaluation:
    """A test set whose annotated images have up to three regions that overlap at will and saturate anywhere."""
    evaluation = draw(oracles.pixel_evaluations())
    masks, regions = [], []
    for mask in evaluation.masks:
        of_image = []
        union = None if mask is None else np.zeros_like(mask)
        if mask is not None and mask.any():
            for _ in range(draw(st.integers(1, 3))):
                pixels = draw(st.lists(st.sampled_from(np.flatnonzero(mask).tolist()), min_size=1, unique=True))
                saturation = len(pixels) * draw(st.sampled_from([0.125, 0.25, 0.5, 1.0]))
                of_image.append(Region(np.array(sorted(pixels)), saturation))
                union.ravel()[pixels] = True
        masks.append(union)
        regions.append(of_image)
    return oracles.with_regions(replace(evaluation, masks=tuple(masks)), regions)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(evaluation=overlapping())
def test_equals_the_oracle_or_says_what_is_missing(evaluation: Evaluation) -> None:
    truth, _ = oracles.pixels(evaluation)
    for limit in LIMITS:
        if truth.any() and not truth.all():
            expected = oracles.area_under(oracles.spro_curve(evaluation), limit)
            assert area_under_spro(evaluation, float(limit)) == pytest.approx(expected, abs=1e-9)
        else:
            with pytest.raises(UndefinedMetricError, match=r"no defect-free pixel|no annotated defect"):
                area_under_spro(evaluation, float(limit))


@pytest.mark.parametrize("levels", [1, 3, 30, None])
def test_regions_that_saturate_at_their_size_give_pro(levels: int | None) -> None:
    evaluation = oracles.random_evaluation(seed=11, levels=levels)
    for limit in map(float, LIMITS):
        expected = area_under_pro(evaluation, limit)
        assert area_under_spro(evaluation, limit) == pytest.approx(expected, abs=1e-12), "no regions are given"
        assert area_under_spro(oracles.components(evaluation), limit) == pytest.approx(expected, abs=1e-12)


def by_hand() -> Evaluation:
    """Ten defect-free pixels; a region of four pixels that saturates at two and shares one with a region of two."""
    mask = np.array([[1, 1, 1, 1, 1, 0, 0, 0]], bool)
    scores = np.array([[0.9, 0.6, 0.4, 0.2, 0.5, 0.8, 0.5, 0.1]])
    evaluation = oracles.pixel_evaluation([mask, np.zeros((1, 7), bool)], [scores, np.array([[0.3] * 7])])
    return oracles.with_regions(evaluation, [[Region(np.array([0, 1, 2, 3]), 2), Region(np.array([1, 4]), 2)], []])


def test_small_case_by_hand() -> None:
    # At 0.9 (0, 1/4); at 0.8 (0.1, 1/4); at 0.6 (0.1, 3/4): the first region is full, the other half; at 0.5 a tie,
    # (0.2, 1). What is found of the first region from 0.4 on adds nothing.
    evaluation = by_hand()
    assert area_under_spro(evaluation, 0.05) == pytest.approx(0.25, abs=1e-12)
    assert area_under_spro(evaluation, 0.3) == pytest.approx((0.025 + 0.1 * 0.875 + 0.1) / 0.3, abs=1e-12)
    assert oracles.compute("auspro_05", evaluation) == pytest.approx(0.25, abs=1e-12)


def test_a_part_of_a_pixel_counts_where_saturation_is_not_whole() -> None:
    # The second pixel of the first region fills what is left of it: 1/4 is 1/1.5 and the other half 0.5/1.5.
    evaluation = by_hand()
    assert evaluation.regions is not None
    first, second = evaluation.regions[0]
    changed = oracles.with_regions(evaluation, [[replace(first, saturation=1.5), second], []])
    assert area_under_spro(changed, 0.05) == pytest.approx(1 / 3, abs=1e-12)
    assert oracles.area_under(oracles.spro_curve(changed), LIMITS[0]) == pytest.approx(1 / 3, abs=1e-12)


def test_perfect_maps_are_exactly_one() -> None:
    masks = [mask for mask in oracles.random_evaluation(seed=5).masks if mask is not None]
    evaluation = oracles.components(oracles.pixel_evaluation(masks, [mask.astype(np.float32) for mask in masks]))
    assert oracles.compute("auspro_05", evaluation) == 1.0


def test_an_image_without_mask_is_left_out() -> None:
    evaluation = oracles.components(oracles.random_evaluation(seed=1, images=6))
    assert evaluation.maps is not None
    assert evaluation.regions is not None
    more = replace(
        evaluation,
        masks=(None, *evaluation.masks),
        maps=(np.full((9, 9), 5, np.float32), *evaluation.maps),
        labels=np.append(1, evaluation.labels),
        scores=np.append(5.0, evaluation.scores),
        defect_types=("unknown", *evaluation.defect_types),
        regions=((), *evaluation.regions),
        shared={},
    )
    assert oracles.compute("auspro_05", more) == oracles.compute("auspro_05", evaluation)
