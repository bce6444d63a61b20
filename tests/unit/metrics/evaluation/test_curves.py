"""Curves: the metrics can be read off them, and thinning loses nothing that shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pybench.metrics.evaluation.curves import MAX_POINTS, curves, thin
from tests.unit.metrics import oracles


def area(points: NDArray[np.float32], limit: float = 1.0) -> float:
    """Area under straight lines from x = 0 to the limit."""
    x, y = points.astype(np.float64).T
    inside = x <= limit
    if inside.all():
        return float(np.trapezoid(y, x))
    first = int(np.argmin(inside))
    end = y[first - 1] + (y[first] - y[first - 1]) * (limit - x[first - 1]) / (x[first] - x[first - 1])
    return float(np.trapezoid(np.append(y[inside], end), np.append(x[inside], limit)))


@pytest.mark.parametrize("levels", [1, 5, 200])
def test_metrics_can_be_read_off_curves_with_all_their_points(levels: int) -> None:
    evaluation = oracles.random_evaluation(seed=11, levels=levels)
    drawn = curves(evaluation)
    assert set(drawn) == {"image_roc", "image_pr", "pixel_roc", "pixel_pr", "pixel_iou", "pro"}
    for level in ("image", "pixel"):
        assert area(drawn[f"{level}_roc"]) == pytest.approx(oracles.compute(f"{level}_auroc", evaluation), abs=1e-6)
        recall, precision = drawn[f"{level}_pr"].T
        steps = np.sum(np.diff(recall, prepend=0) * precision)
        assert steps == pytest.approx(oracles.compute(f"{level}_ap", evaluation), abs=1e-5)
        f1 = 2 * precision * recall / (precision + recall)
        assert f1.max() == pytest.approx(oracles.compute(f"{level}_f1_max", evaluation), abs=1e-6)
    for name, limit in (("aupro_30", 0.3), ("aupro_05", 0.05)):
        assert area(drawn["pro"], limit) / limit == pytest.approx(oracles.compute(name, evaluation), abs=1e-5)
    assert drawn["pixel_iou"][:, 1].max() == pytest.approx(oracles.compute("pixel_iou_max", evaluation), abs=1e-6)


def test_pro_curve_passes_through_every_point_of_the_definition() -> None:
    evaluation = oracles.random_evaluation(seed=12, images=4, levels=20)
    x, y = curves(evaluation)["pro"].astype(np.float64).T
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    for rate, overlap in oracles.pro_curve(evaluation):
        # At a vertical step any height between its two ends is on the curve.
        low, high = np.interp(float(rate) - 1e-6, x, y), np.interp(float(rate) + 1e-6, x, y)
        assert low - 1e-4 <= float(overlap) <= high + 1e-4


def test_iou_curve_has_the_overlap_at_each_threshold() -> None:
    evaluation = oracles.random_evaluation(seed=13, images=4, levels=30)
    truth, scores = oracles.pixels(evaluation)
    points = curves(evaluation)["pixel_iou"]
    assert len(points) == len(np.unique(scores[truth]))
    for threshold, overlap in points:
        called = scores >= threshold
        assert overlap == pytest.approx((called & truth).sum() / (called | truth).sum(), abs=1e-6)


def test_undefined_curves_are_omitted() -> None:
    assert set(curves(oracles.image_evaluation([1, 2], [2, 3]))) == {"image_roc", "image_pr"}
    assert curves(oracles.image_evaluation([1, 2], [])) == {}


def test_thinned_curves_stay_close_and_keep_the_best_points() -> None:
    evaluation = oracles.random_evaluation(seed=14, images=200)
    drawn = curves(evaluation)
    truth, scores = oracles.pixels(evaluation)
    assert len(np.unique(scores[truth])) > MAX_POINTS
    assert max(map(len, drawn.values())) <= MAX_POINTS
    assert area(drawn["pixel_roc"]) == pytest.approx(oracles.compute("pixel_auroc", evaluation), abs=1e-4)
    assert area(drawn["pro"], 0.3) / 0.3 == pytest.approx(oracles.compute("aupro_30", evaluation), abs=1e-3)
    assert drawn["pixel_iou"][:, 1].max() == pytest.approx(oracles.compute("pixel_iou_max", evaluation), abs=1e-6)
    recall, precision = drawn["pixel_pr"].T
    f1 = 2 * precision * recall / (precision + recall)
    assert f1.max() == pytest.approx(oracles.compute("pixel_f1_max", evaluation), abs=1e-6)


def test_thinning_keeps_ends_long_segments_and_the_chosen_point() -> None:
    rng = np.random.default_rng(0)
    steps = rng.exponential(1e-4, (5000, 2))
    steps[[700, 701, 4000]] = [[0.0, 0.3], [0.2, 0.0], [0.1, 0.1]]
    points = np.cumsum(np.concatenate([[[0.0, 0.0]], steps]), axis=0)
    thinned = thin(points, keep=1234, limit=100)
    assert len(thinned) <= 100
    kept = {tuple(point) for point in thinned}
    # Segment i goes from point i to point i + 1.
    assert {tuple(points[i]) for i in (0, 700, 701, 702, 1234, 4000, 4001, 5000)} <= kept
    scaled, scaled_thinned = points / np.ptp(points, axis=0), thinned / np.ptp(points, axis=0)
    nearest = np.abs(scaled[:, None] - scaled_thinned).sum(axis=2).min(axis=1)
    assert nearest.max() <= 2 / 49


def test_short_curves_are_not_thinned() -> None:
    points = np.random.default_rng(0).random((100, 2))
    assert np.array_equal(thin(points, limit=100), points)


def test_a_curve_that_is_one_point_repeated_can_be_thinned() -> None:
    assert np.array_equal(np.unique(thin(np.ones((300, 2)), limit=100), axis=0), [[1.0, 1.0]])
