"""Values with reasons, metrics per defect type, bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pybench.metrics import _bootstrap, image_ap, image_auroc, pixel_auroc
from pybench.metrics._bootstrap import bootstrap_interval
from pybench.metrics._evaluate import by_defect_type, evaluate
from pybench.types import UndefinedMetricError
from tests.unit.metrics import oracles


def test_evaluate_gives_values_and_the_reasons_of_those_that_have_none() -> None:
    metrics = [image_auroc.METRIC, pixel_auroc.METRIC]
    values, reasons = evaluate(oracles.image_evaluation([1, 2], [3]), metrics)
    assert values == {"image_auroc": 1.0, "pixel_auroc": None}
    assert reasons == {"pixel_auroc": "the method gives no score maps"}


def test_a_test_set_of_one_class_has_reasons_only() -> None:
    values, reasons = evaluate(oracles.image_evaluation([1, 2], []), [image_auroc.METRIC, image_ap.METRIC])
    assert values == {"image_auroc": None, "image_ap": None}
    assert set(reasons.values()) == {"the test set has no anomalous image"}


def test_each_defect_type_meets_all_good_images() -> None:
    evaluation = oracles.random_evaluation(seed=9)
    assert evaluation.maps is not None
    values = by_defect_type(evaluation)
    assert list(values) == ["hole", "scratch"]
    for defect_type, metrics in values.items():
        chosen = [i for i, t in enumerate(evaluation.defect_types) if t in ("good", defect_type)]
        alone = oracles.pixel_evaluation([evaluation.masks[i] for i in chosen], [evaluation.maps[i] for i in chosen])
        wanted = ("image_auroc", "pixel_auroc", "aupro_30", "auspro_05")
        assert metrics == {name: oracles.compute(name, alone) for name in wanted}
    assert values["hole"] != values["scratch"]


def test_a_defect_type_without_masks_has_no_pixel_metrics() -> None:
    values = by_defect_type(oracles.image_evaluation([1, 2], [3]))
    assert values == {"scratch": {"image_auroc": 1.0, "pixel_auroc": None, "aupro_30": None, "auspro_05": None}}


def test_only_good_images_have_no_defect_types() -> None:
    assert by_defect_type(oracles.image_evaluation([1, 2], [])) == {}


@pytest.mark.parametrize(("name", "oracle"), [("image_auroc", roc_auc_score), ("image_ap", average_precision_score)])
def test_resampled_metrics_equal_scikit_learns_on_the_drawn_images(name: str, oracle: Callable[..., float]) -> None:
    rng = np.random.default_rng(0)
    # Ten scores, highest first; some are drawn by no image, by one class or by both.
    positives, negatives = rng.multinomial(20, np.arange(10, 0, -1) / 55, 30), rng.multinomial(30, np.full(10, 0.1), 30)
    values = _bootstrap.RESAMPLED[name](positives, negatives)
    scores = np.arange(10, 0, -1)
    for value, drawn, others in zip(values, positives, negatives, strict=True):
        expected = oracle(np.repeat([1, 0], [20, 30]), np.concatenate([scores.repeat(drawn), scores.repeat(others)]))
        assert value == pytest.approx(expected, abs=1e-12)


def test_a_draw_has_as_many_images_of_each_class_and_none_that_is_not_there() -> None:
    drawn = _bootstrap._resample(np.array([4, 0, 4, 2]), 5, 50, np.random.default_rng(0))
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
