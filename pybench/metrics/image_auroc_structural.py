"""Area under the receiver operating characteristic over good images and structural anomalies."""

from __future__ import annotations

from pybench.metrics.evaluation.defect_kinds import of_type
from pybench.metrics.image_auroc import image_auroc
from pybench.types import Evaluation, Metric


def image_auroc_structural(evaluation: Evaluation) -> float:
    """``image_auroc`` of the structural anomalies with all good images.

    Raises:
        UndefinedMetricError: the test set has no structural anomaly, or does not tell the kinds apart, or has no
            good image.
    """
    return image_auroc(of_type(evaluation, "structural"))


METRIC = Metric(
    name="image_auroc_structural",
    level="image",
    higher_is_better=True,
    description="area under the ROC curve over good images and structural anomalies",
    function=image_auroc_structural,
)
