"""Area under the receiver operating characteristic over good images and logical anomalies."""

from __future__ import annotations

from pybench.metrics.evaluation.defect_kinds import of_type
from pybench.metrics.image_auroc import image_auroc
from pybench.types import Evaluation, Metric


def image_auroc_logical(evaluation: Evaluation) -> float:
    """``image_auroc`` of the logical anomalies with all good images.

    Raises:
        UndefinedMetricError: the test set has no logical anomaly, or does not tell the kinds apart, or has no
            good image.
    """
    return image_auroc(of_type(evaluation, "logical"))


METRIC = Metric(
    name="image_auroc_logical",
    level="image",
    higher_is_better=True,
    description="area under the ROC curve over good images and logical anomalies",
    function=image_auroc_logical,
)
