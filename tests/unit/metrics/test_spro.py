"""sPRO against its definition, against PRO, and by hand; metrics by kind of anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybench.metrics import _pixel
from pybench.metrics._evaluate import by_defect_type
from pybench.metrics._regions import area_under_pro
from pybench.metrics._spro import area_under_spro
from pybench.types import Evaluation, Region, UndefinedMetricError
from tests.unit.metrics import oracles

LIMITS = (Fraction(5, 100), Fraction(30, 100), Fraction(1))


def with_regions(evaluation: Evaluation, regions: Sequence[Sequence[Region]]) -> Evaluation:
    return replace(evaluation, regions=tuple(map(tuple, regions)), shared={})


def components(evaluation: Evaluation) -> Evaluation:
    """The same with each connected component as a region that saturates at its size."""
    found = [
        []
        if mask is None
        else [
            Region(np.array(sorted(y * mask.shape[1] + x for y, x in pixels)), len(pixels))
            for pixels in oracles.flood_fill(mask)
        ]
        for mask in evaluation.masks
    ]
    return with_regions(evaluation, found)


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
    return with_regions(replace(evaluation, masks=tuple(masks)), regions)


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
        assert area_under_spro(components(evaluation), limit) == pytest.approx(expected, abs=1e-12)


def by_hand() -> Evaluation:
    """Ten defect-free pixels; a region of four pixels that saturates at two and shares one with a region of two."""
    mask = np.array([[1, 1, 1, 1, 1, 0, 0, 0]], bool)
    scores = np.array([[0.9, 0.6, 0.4, 0.2, 0.5, 0.8, 0.5, 0.1]])
    evaluation = oracles.pixel_evaluation([mask, np.zeros((1, 7), bool)], [scores, np.array([[0.3] * 7])])
    return with_regions(evaluation, [[Region(np.array([0, 1, 2, 3]), 2), Region(np.array([1, 4]), 2)], []])


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
    changed = with_regions(evaluation, [[replace(first, saturation=1.5), second], []])
    assert area_under_spro(changed, 0.05) == pytest.approx(1 / 3, abs=1e-12)
    assert oracles.area_under(oracles.spro_curve(changed), LIMITS[0]) == pytest.approx(1 / 3, abs=1e-12)


def test_perfect_maps_are_exactly_one() -> None:
    masks = [mask for mask in oracles.random_evaluation(seed=5).masks if mask is not None]
    evaluation = components(oracles.pixel_evaluation(masks, [mask.astype(np.float32) for mask in masks]))
    assert oracles.compute("auspro_05", evaluation) == 1.0


def test_an_image_without_mask_is_left_out() -> None:
    evaluation = components(oracles.random_evaluation(seed=1, images=6))
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


# --- kinds -----------------------------------------------------------------------------------------------------------


def of_kinds(*types: str) -> Evaluation:
    """Good images and one of each type."""
    whole = oracles.random_evaluation(seed=9, images=2 * len(types))
    names = [types[i // 2] if label else "good" for i, label in enumerate(whole.labels)]
    scores = np.random.default_rng(0).permutation(2 * len(types)).astype(np.float64)
    return replace(components(whole), defect_types=tuple(names), scores=scores)


def part(evaluation: Evaluation, *types: str) -> Evaluation:
    assert evaluation.maps is not None
    chosen = [i for i, name in enumerate(evaluation.defect_types) if name in ("good", *types)]
    alone = oracles.pixel_evaluation([evaluation.masks[i] for i in chosen], [evaluation.maps[i] for i in chosen])
    return replace(components(alone), scores=evaluation.scores[chosen])


def test_kinds_are_evaluated_apart_and_averaged() -> None:
    evaluation = of_kinds("structural/bent", "logical/swap", "structural/cut", "structural/hole", "logical/gone")
    structural = part(evaluation, "structural/bent", "structural/cut", "structural/hole")
    logical = part(evaluation, "logical/swap", "logical/gone")
    for name, kind in (("image_auroc_structural", structural), ("image_auroc_logical", logical)):
        assert oracles.compute(name, evaluation) == oracles.compute("image_auroc", kind)
    for mean, name in (("image_auroc_sl_mean", "image_auroc"), ("auspro_05", "auspro_05")):
        values = [oracles.compute(name, kind) for kind in (structural, logical)]
        assert values[0] != values[1]
        assert oracles.compute(mean, evaluation) == sum(values) / 2
    assert area_under_spro(evaluation, 0.05) != oracles.compute("auspro_05", evaluation)


def test_a_kind_that_is_missing_has_no_value() -> None:
    evaluation = of_kinds("structural", "structural")
    assert oracles.compute("image_auroc_structural", evaluation) == oracles.compute("image_auroc", evaluation)
    assert oracles.compute("auspro_05", evaluation) == area_under_spro(evaluation, 0.05)
    for name in ("image_auroc_logical", "image_auroc_sl_mean"):
        with pytest.raises(UndefinedMetricError, match="the test set has no logical anomaly"):
            oracles.compute(name, evaluation)
    with pytest.raises(UndefinedMetricError, match="the test set has no structural anomaly"):
        oracles.compute("image_auroc_structural", of_kinds("bent", "cut"))


def test_defect_types_of_one_kind_are_told_apart() -> None:
    evaluation = of_kinds("logical/swap", "logical/gone", "structural")
    values = by_defect_type(evaluation)
    assert list(values) == ["logical/gone", "logical/swap", "structural"]
    for name, metrics in values.items():
        assert metrics["auspro_05"] == oracles.compute("auspro_05", part(evaluation, name))


def test_kinds_and_types_of_one_name_are_ranked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    rank = _pixel.rank
    monkeypatch.setattr(_pixel, "rank", lambda *arguments: calls.append(1) or rank(*arguments))
    evaluation = of_kinds("logical", "structural")
    oracles.compute("auspro_05", evaluation)
    by_defect_type(evaluation)
    assert len(calls) == 2
