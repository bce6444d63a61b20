"""Pixel metrics and AUPRO against scikit-learn, against their definitions, and against numbers worked out by hand."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, jaccard_score, roc_auc_score

from pybench.metrics.evaluation import pixel_scores
from pybench.types import Evaluation, UndefinedMetricError
from tests.unit.metrics import oracles

ORACLES = {
    "pixel_auroc": lambda evaluation: roc_auc_score(*oracles.pixels(evaluation)),
    "pixel_ap": lambda evaluation: average_precision_score(*oracles.pixels(evaluation)),
    "pixel_f1_max": lambda evaluation: oracles.f1_max(*oracles.pixels(evaluation)),
    "pixel_iou_max": lambda evaluation: oracles.iou_max(*oracles.pixels(evaluation)),
    "aupro_30": lambda evaluation: oracles.aupro(evaluation, Fraction(30, 100)),
    "aupro_05": lambda evaluation: oracles.aupro(evaluation, Fraction(5, 100)),
}


@pytest.mark.parametrize("name", ORACLES)
@settings(deadline=None, derandomize=True)
@given(evaluation=oracles.pixel_evaluations())
def test_equals_the_oracle_or_says_what_is_missing(name: str, evaluation: Evaluation) -> None:
    truth, _ = oracles.pixels(evaluation)
    if truth.any() and not truth.all():
        assert oracles.compute(name, evaluation) == pytest.approx(ORACLES[name](evaluation), abs=1e-9)
    else:
        missing = "no defect-free pixel" if truth.any() else "no annotated defect"
        with pytest.raises(UndefinedMetricError, match=missing):
            oracles.compute(name, evaluation)


@pytest.mark.parametrize("levels", [1, 3, 30, 200])
@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_oracle_on_larger_maps_with_ties(name: str, levels: int) -> None:
    evaluation = oracles.random_evaluation(seed=levels, images=8, levels=levels)
    assert oracles.compute(name, evaluation) == pytest.approx(ORACLES[name](evaluation), abs=1e-9)


@pytest.mark.parametrize("name", ["pixel_auroc", "pixel_ap"])
def test_equals_the_oracle_on_larger_maps_without_ties(name: str) -> None:
    evaluation = oracles.random_evaluation(seed=0, images=40)
    assert oracles.compute(name, evaluation) == pytest.approx(ORACLES[name](evaluation), abs=1e-9)


def test_largest_iou_equals_scikit_learns_at_the_best_of_all_thresholds() -> None:
    evaluation = oracles.random_evaluation(seed=3, images=4, levels=50)
    truth, scores = oracles.pixels(evaluation)
    expected = max(jaccard_score(truth, scores >= threshold) for threshold in np.unique(scores))
    assert oracles.compute("pixel_iou_max", evaluation) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Of ten defect-free pixels 0.9 beats all, 0.8 beats nine, 0.5 beats seven and ties with two: 27 of 30 pairs.
        ("pixel_auroc", 0.9),
        # Recall gains 1/3 at each of the precisions 1/1, 2/3 and 3/6.
        ("pixel_ap", (1 + 2 / 3 + 1 / 2) / 3),
        # At 0.9: 2/4. At 0.8: 4 / (4 + 1 + 1). At 0.5: 6 / (6 + 3).
        ("pixel_f1_max", 2 / 3),
        # At 0.9: 1/3. At 0.8: 2/4. At 0.5: 3/6.
        ("pixel_iou_max", 1 / 2),
        # (0, 0) (0, 0.5) (0.1, 0.5) (0.1, 0.75) (0.3, 1): 0.1 * 0.5 + 0.2 * (0.75 + 1) / 2 = 0.225, over 0.3.
        ("aupro_30", 0.75),
        # 0.05 * 0.5, over 0.05.
        ("aupro_05", 0.5),
    ],
)
def test_small_case_by_hand(name: str, expected: float) -> None:
    assert oracles.compute(name, oracles.two_regions()) == pytest.approx(expected, abs=1e-12)


def one_row(truth: list[int], scores: list[float]) -> Evaluation:
    return oracles.pixel_evaluation([np.array([truth], bool)], [np.array([scores])])


def test_constant_maps() -> None:
    evaluation = one_row([1, 0, 0, 0], [0.5] * 4)
    assert oracles.compute("pixel_auroc", evaluation) == 0.5
    assert oracles.compute("pixel_ap", evaluation) == 0.25
    assert oracles.compute("pixel_iou_max", evaluation) == 0.25
    # The line from (0, 0) to (1, 1) encloses limit^2 / 2.
    assert oracles.compute("aupro_30", evaluation) == pytest.approx(0.15, abs=1e-12)
    assert oracles.compute("aupro_05", evaluation) == pytest.approx(0.025, abs=1e-12)


def test_first_step_beyond_the_limit() -> None:
    above = one_row([1] + [0] * 10, [0.5] + [0.9] * 4 + [0.1] * 6)
    assert oracles.compute("aupro_30", above) == 0.0
    # The first segment goes from (0, 0) to (0.6, 1) and is cut at (0.3, 0.5): 0.3 * 0.5 / 2 over 0.3.
    tied = one_row([1] + [0] * 10, [0.9] * 7 + [0.1] * 4)
    assert oracles.compute("aupro_30", tied) == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize("name", ORACLES)
def test_perfect_maps_are_exactly_one(name: str) -> None:
    masks = [mask for mask in oracles.random_evaluation(seed=5).masks if mask is not None]
    evaluation = oracles.pixel_evaluation(masks, [mask.astype(np.float32) for mask in masks])
    assert oracles.compute(name, evaluation) == 1.0


@pytest.mark.parametrize("name", ["aupro_30", "aupro_05"])
def test_inverted_maps_are_exactly_zero(name: str) -> None:
    masks = [mask for mask in oracles.random_evaluation(seed=5).masks if mask is not None]
    evaluation = oracles.pixel_evaluation(masks, [-mask.astype(np.float32) for mask in masks])
    assert oracles.compute(name, evaluation) == 0.0


@pytest.mark.parametrize("name", ORACLES)
def test_an_anomalous_image_without_mask_is_left_out(name: str) -> None:
    evaluation = oracles.random_evaluation(seed=1, images=6)
    assert evaluation.maps is not None
    more = replace(
        evaluation,
        masks=(*evaluation.masks, None),
        maps=(*evaluation.maps, np.full((9, 9), 5, np.float32)),
        labels=np.append(evaluation.labels, 1),
        scores=np.append(evaluation.scores, 5.0),
        defect_types=(*evaluation.defect_types, "unknown"),
        shared={},
    )
    assert oracles.compute(name, more) == oracles.compute(name, evaluation)


@pytest.mark.parametrize("name", ORACLES)
def test_undefined_without_maps(name: str) -> None:
    with pytest.raises(UndefinedMetricError, match="no score maps"):
        oracles.compute(name, oracles.image_evaluation([1], [2]))


@pytest.mark.parametrize("name", ORACLES)
def test_only_the_order_of_scores_matters(name: str) -> None:
    evaluation = oracles.random_evaluation(seed=2, levels=100)
    assert evaluation.maps is not None
    cubed = replace(evaluation, maps=tuple(scores**3 - 7 for scores in evaluation.maps), shared={})
    assert oracles.compute(name, cubed) == oracles.compute(name, evaluation)


@pytest.mark.parametrize("name", ORACLES)
def test_chunks_of_any_size_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = oracles.compute(name, oracles.random_evaluation(seed=4, levels=20))
    monkeypatch.setattr(pixel_scores, "CHUNK_PIXELS", 1)
    monkeypatch.setattr(pixel_scores, "CHUNK_PIXELS_PER_POSITIVE", 0)
    assert oracles.compute(name, oracles.random_evaluation(seed=4, levels=20)) == whole


@pytest.mark.parametrize("name", ORACLES)
def test_threads_do_not_change_a_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_scores, "CHUNK_PIXELS", 2000)
    monkeypatch.setattr(pixel_scores, "CHUNK_PIXELS_PER_POSITIVE", 0)
    values = set()
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        values.add(oracles.compute(name, oracles.random_evaluation(seed=7, levels=50)))
    assert len(values) == 1


@pytest.mark.parametrize("name", ORACLES)
def test_takes_maps_and_masks_from_a_file_that_must_not_change(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((6, 30, 20)) < 0.1
    scores = (rng.random(truth.shape) + 0.3 * truth).astype(np.float32)
    mapped = []
    for number, array in enumerate((truth, scores)):
        np.save(tmp_path / f"{number}.npy", array)
        mapped.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    expected = oracles.compute(name, oracles.pixel_evaluation(list(truth), list(scores)))
    assert oracles.compute(name, oracles.pixel_evaluation(list(mapped[0]), list(mapped[1]))) == expected


def test_all_pixel_metrics_share_one_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    rank = pixel_scores.rank
    monkeypatch.setattr(pixel_scores, "rank", lambda *arguments: calls.append(1) or rank(*arguments))
    evaluation = oracles.random_evaluation(seed=6)
    for name in ORACLES:
        oracles.compute(name, evaluation)
    assert len(calls) == 1


def test_maps_and_masks_stay_as_they_are() -> None:
    evaluation = oracles.random_evaluation(seed=8)
    assert evaluation.maps is not None
    before = [scores.copy() for scores in evaluation.maps]
    for name in ORACLES:
        oracles.compute(name, evaluation)
    assert all(np.array_equal(a, b) for a, b in zip(before, evaluation.maps, strict=True))


def test_memory_is_that_of_a_chunk_and_not_of_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_scores, "CHUNK_PIXELS", 1 << 16)
    rng = np.random.default_rng(0)
    maps = [rng.random((256, 256), np.float32) for _ in range(40)]
    masks = [np.zeros((256, 256), bool) for _ in maps]
    masks[3][5:9, 5:9] = True
    evaluation = oracles.pixel_evaluation(masks, maps)
    tracemalloc.start()
    for name in ORACLES:
        oracles.compute(name, evaluation)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * sum(scores.nbytes for scores in maps)
