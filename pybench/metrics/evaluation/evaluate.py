"""Metrics over a test set, and over each type of defect in it."""

from __future__ import annotations

from collections.abc import Sequence

from pybench.metrics.aupro_30 import METRIC as AUPRO_30
from pybench.metrics.auspro_05 import METRIC as AUSPRO_05
from pybench.metrics.evaluation.defect_kinds import of_type
from pybench.metrics.image_auroc import METRIC as IMAGE_AUROC
from pybench.metrics.pixel_auroc import METRIC as PIXEL_AUROC
from pybench.types import Evaluation, Metric, UndefinedMetricError

BY_DEFECT_TYPE = (IMAGE_AUROC, PIXEL_AUROC, AUPRO_30, AUSPRO_05)


def evaluate(evaluation: Evaluation, metrics: Sequence[Metric]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Every metric's value, None where it is undefined, and the reason of each that is."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        try:
            values[metric.name] = metric.function(evaluation)
        except UndefinedMetricError as error:
            values[metric.name] = None
            reasons[metric.name] = str(error)
    return values, reasons


def by_defect_type(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """``BY_DEFECT_TYPE`` of each defect type, on its images and all good ones.

    Defect types are those of the anomalous images, in alphabetical order. A metric is None where it is undefined.
    """
    pairs = zip(evaluation.labels, evaluation.defect_types, strict=True)
    types = sorted({defect_type for label, defect_type in pairs if label})
    return {name: evaluate(of_type(evaluation, name), BY_DEFECT_TYPE)[0] for name in types}
