"""Largest intersection over union of the thresholded maps with the masks."""

from __future__ import annotations

from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.ranking import iou
from pybench.types import Evaluation, Metric


def pixel_iou_max(evaluation: Evaluation) -> float:
    """Largest TP / (TP + FP + FN) over all thresholds, over the pixels of the whole test set.

    The threshold is chosen on test labels.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    return float(iou(pixel_ranking(evaluation)).max())


METRIC = Metric(
    name="pixel_iou_max",
    level="pixel",
    higher_is_better=True,
    description="largest intersection over union over all thresholds, chosen on test labels, over pixels",
    function=pixel_iou_max,
)
