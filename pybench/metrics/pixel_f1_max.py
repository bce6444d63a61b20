"""Largest F1 over pixels."""

from __future__ import annotations

from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.ranking import f1
from pybench.types import Evaluation, Metric


def pixel_f1_max(evaluation: Evaluation) -> float:
    """Largest 2 TP / (2 TP + FP + FN) over all thresholds; the threshold is chosen on test labels.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    return float(f1(pixel_ranking(evaluation)).max())


METRIC = Metric(
    name="pixel_f1_max",
    level="pixel",
    higher_is_better=True,
    description="largest F1 over all thresholds, chosen on test labels, over pixels",
    function=pixel_f1_max,
)
