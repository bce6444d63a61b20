"""Image metrics against scikit-learn, against trying every threshold, and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from pybench.types import Evaluation, UndefinedMetricError
from tests.unit.metrics import oracles

ORACLES = {
    "image_auroc": roc_auc_score,
    "image_ap": average_precision_score,
    "image_f1_max": oracles.f1_max,
    "image_accuracy_youden_oracle": oracles.accuracy_at_youden,
}


@pytest.mark.parametrize("name", ORACLES)
@settings(deadline=None, derandomize=True)
@given(evaluation=oracles.image_evaluations())
def test_equals_the_oracle_or_says_which_class_is_missing(name: str, evaluation: Evaluation) -> None:
    truth = evaluation.labels == 1
    if truth.any() and not truth.all():
        expected = ORACLES[name](truth, evaluation.scores)
        assert oracles.compute(name, evaluation) == pytest.approx(expected, abs=1e-9)
    else:
        missing = "no normal image" if truth.any() else "no anomalous image"
        with pytest.raises(UndefinedMetricError, match=missing):
            oracles.compute(name, evaluation)


@pytest.mark.parametrize("decimals", [0, 1, 2, 16])
@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_oracle_on_many_images(name: str, decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    normal, anomalous = rng.normal(0, 1, 300).round(decimals), rng.normal(1, 1, 200).round(decimals)
    evaluation = oracles.image_evaluation(normal, anomalous)
    expected = ORACLES[name](evaluation.labels == 1, evaluation.scores)
    assert oracles.compute(name, evaluation) == pytest.approx(expected, abs=1e-9)


def test_largest_f1_equals_scikit_learns_at_the_best_of_all_thresholds() -> None:
    rng = np.random.default_rng(7)
    evaluation = oracles.image_evaluation(rng.normal(0, 1, 40).round(1), rng.normal(1, 1, 30).round(1))
    scores = evaluation.scores
    expected = max(f1_score(evaluation.labels, scores >= threshold) for threshold in scores)
    assert oracles.compute("image_f1_max", evaluation) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 4 beats 1, 2 and 3; 2 beats 1 and ties with 2: 4.5 of 6 pairs.
        ("image_auroc", 0.75),
        # At 4 recall gains 1/2 at precision 1; at 2 it gains 1/2 at precision 2/4.
        ("image_ap", 0.75),
        # At 4: 2 * 1 / (2 + 0 + 1). At 2: 2 * 2 / (4 + 2 + 0).
        ("image_f1_max", 2 / 3),
        # At 4 J = 1/2, at 2 J = 1 - 2/3. At 4 one anomalous and three normal images of five are right.
        ("image_accuracy_youden_oracle", 0.8),
    ],
)
def test_small_case_by_hand(name: str, expected: float) -> None:
    assert oracles.compute(name, oracles.image_evaluation([1, 2, 3], [2, 4])) == pytest.approx(expected, abs=1e-12)


def test_of_equal_youden_indices_the_highest_threshold_counts() -> None:
    # J = 1/2 at 4 (2 + 2 of 6 right) and at 2 (4 + 1 of 6 right).
    evaluation = oracles.image_evaluation([1, 3], [2, 2, 4, 4])
    assert oracles.compute("image_accuracy_youden_oracle", evaluation) == pytest.approx(4 / 6)


def test_constant_scores() -> None:
    evaluation = oracles.image_evaluation([0.5] * 3, [0.5])
    assert oracles.compute("image_auroc", evaluation) == 0.5
    assert oracles.compute("image_ap", evaluation) == 0.25
    assert oracles.compute("image_f1_max", evaluation) == 0.4  # everything called: 2 / (2 + 3 + 0)
    assert oracles.compute("image_accuracy_youden_oracle", evaluation) == 0.75  # nothing called


@pytest.mark.parametrize("name", ORACLES)
def test_perfect_separation_is_exactly_one(name: str) -> None:
    assert oracles.compute(name, oracles.image_evaluation(np.arange(7) / 10, np.arange(7, 10) / 10)) == 1.0


class TestRatesAtAHeldOutThreshold:
    # Of 21 held-out scores 0 to 20 the 95 % quantile is 19.
    held_out = range(21)

    def test_by_hand(self) -> None:
        evaluation = oracles.image_evaluation([18, 19, 19.5, 30], [19, 20, 40], self.held_out)
        assert oracles.compute("overkill_rate", evaluation) == 2 / 4
        assert oracles.compute("escape_rate", evaluation) == 1 / 3

    def test_between_two_scores_the_higher_is_the_threshold(self) -> None:
        # 0.95 * 9 = 8.55 lies between the scores 8 and 9.
        evaluation = oracles.image_evaluation([8.7, 9.1], [8.7, 9.1], range(10))
        assert oracles.compute("overkill_rate", evaluation) == 0.5
        assert oracles.compute("escape_rate", evaluation) == 0.5

    @pytest.mark.parametrize("name", ["overkill_rate", "escape_rate"])
    @pytest.mark.parametrize(
        ("held_out", "reason"), [(None, "protocol asks for no held-out folds"), ([], "no normal image was held out")]
    )
    def test_undefined_without_held_out_scores(self, name: str, held_out: list[float] | None, reason: str) -> None:
        with pytest.raises(UndefinedMetricError, match=reason):
            oracles.compute(name, oracles.image_evaluation([1], [2], held_out))

    def test_each_needs_its_own_class_only(self) -> None:
        normal = oracles.image_evaluation([1, 50], [], self.held_out)
        anomalous = oracles.image_evaluation([], [1, 50], self.held_out)
        assert oracles.compute("overkill_rate", normal) == 0.5
        assert oracles.compute("escape_rate", anomalous) == 0.5
        with pytest.raises(UndefinedMetricError, match="no anomalous image"):
            oracles.compute("escape_rate", normal)
        with pytest.raises(UndefinedMetricError, match="no normal image"):
            oracles.compute("overkill_rate", anomalous)
