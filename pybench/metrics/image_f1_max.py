"""Largest F1 over images."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import image_ranking
from pybench.metrics.evaluation.ranking import f1
from pybench.types import Evaluation, Metric


def image_f1_max(evaluation: Evaluation) -> float:
    """Largest 2 TP / (2 TP + FP + FN) over all thresholds; the threshold is chosen on test labels.

    Raises:
        UndefinedMetricError: the test set has one class of images only.
    """
    return float(f1(image_ranking(evaluation)).max())


METRIC = Metric(
    name="image_f1_max",
    level="image",
    higher_is_better=True,
    description="largest F1 over all thresholds, chosen on test labels, over images",
    function=image_f1_max,
)
