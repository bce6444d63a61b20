"""Bootstrap intervals against scikit-learn on the same draws, and against drawing images one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pybench.metrics.evaluation import bootstrap
from pybench.metrics.evaluation.bootstrap import bootstrap_interval
from pybench.types import UndefinedMetricError
from tests.unit.metrics import oracles


@pytest.mark.parametrize(("name", "oracle"), [("image_auroc", roc_auc_score), ("image_ap", average_precision_score)])
def test_resampled_metrics_equal_scikit_learns_on_the_drawn_images(name: str, oracle: Callable[..., float]) -> None:
    rng = np.random.default_rng(0)
    # Ten scores, highest first; some are drawn by no image, by one class or by both.
    positives, negatives = rng.multinomial(20, np.arange(10, 0, -1) / 55, 30), rng.multinomial(30, np.full(10, 0.1), 30)
    values = bootstrap.RESAMPLED[name](positives, negatives)
    scores = np.arange(10, 0, -1)
    for value, drawn, others in zip(values, positives, negatives, strict=True):
        expected = oracle(np.repeat([1, 0], [20, 30]), np.concatenate([scores.repeat(drawn), scores.repeat(others)]))
        assert value == pytest.approx(expected, abs=1e-12)


def test_a_draw_has_as_many_images_of_each_class_and_none_that_is_not_there() -> None:
    drawn = bootstrap._resample(np.array([4, 0, 4, 2]), 5, 50, np.random.default_rng(0))
    assert (drawn.sum(axis=1) == 4).all()
    assert (drawn[:, [1, 3]] == 0).all()
    assert drawn.mean(axis=0) == pytest.approx([1, 0, 1, 0, 2], abs=0.4)


@pytest.mark.parametrize(("name", "oracle"), [("image_auroc", roc_auc_score), ("image_ap", average_precision_score)])
def test_interval_agrees_with_drawing_images_one_by_one(name: str, oracle: Callable[..., float]) -> None:
    rng = np.random.default_rng(1)
    normal, anomalous = rng.normal(0, 1, 40).round(1), rng.normal(1, 1, 60).round(1)
    labels = np.repeat([0, 1], [40, 60])
    drawn = [oracle(labels, np.concatenate([rng.choice(normal, 40), rng.choice(anomalous, 60)])) for _ in range(300)]
    interval = bootstrap_interval(oracles.image_evaluation(normal, anomalous), name, samples=20_000)
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_interval_holds_the_value_and_depends_on_the_seed_only() -> None:
    rng = np.random.default_rng(2)
    evaluation = oracles.image_evaluation(rng.normal(0, 1, 30), rng.normal(1, 1, 30))
    low, high = bootstrap_interval(evaluation, "image_auroc", seed=3)
    assert low < oracles.compute("image_auroc", evaluation) < high
    assert bootstrap_interval(evaluation, "image_auroc", seed=3) == (low, high)
    assert bootstrap_interval(evaluation, "image_auroc", seed=4) != (low, high)


def test_interval_of_perfect_and_of_constant_scores() -> None:
    assert bootstrap_interval(oracles.image_evaluation([1, 2], [3, 4]), "image_ap") == (1.0, 1.0)
    assert bootstrap_interval(oracles.image_evaluation([1, 1], [1, 1]), "image_auroc") == (0.5, 0.5)


def test_no_interval_of_one_class() -> None:
    with pytest.raises(UndefinedMetricError, match="no normal image"):
        bootstrap_interval(oracles.image_evaluation([], [1, 2]), "image_auroc")
