"""Metrics of structural and of logical anomalies, each kind with all good images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pybench.metrics.evaluation import pixel_scores
from pybench.metrics.evaluation.evaluate import by_defect_type
from pybench.metrics.evaluation.spro import area_under_spro
from pybench.types import Evaluation, UndefinedMetricError
from tests.unit.metrics import oracles


def of_kinds(*types: str) -> Evaluation:
    """Good images and one of each type."""
    whole = oracles.random_evaluation(seed=9, images=2 * len(types))
    names = [types[i // 2] if label else "good" for i, label in enumerate(whole.labels)]
    scores = np.random.default_rng(0).permutation(2 * len(types)).astype(np.float64)
    return replace(oracles.components(whole), defect_types=tuple(names), scores=scores)


def part(evaluation: Evaluation, *types: str) -> Evaluation:
    assert evaluation.maps is not None
    chosen = [i for i, name in enumerate(evaluation.defect_types) if name in ("good", *types)]
    alone = oracles.pixel_evaluation([evaluation.masks[i] for i in chosen], [evaluation.maps[i] for i in chosen])
    return replace(oracles.components(alone), scores=evaluation.scores[chosen])


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
    rank = pixel_scores.rank
    monkeypatch.setattr(pixel_scores, "rank", lambda *arguments: calls.append(1) or rank(*arguments))
    evaluation = of_kinds("logical", "structural")
    oracles.compute("auspro_05", evaluation)
    by_defect_type(evaluation)
    assert len(calls) == 2
