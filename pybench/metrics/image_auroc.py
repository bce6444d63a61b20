"""Area under the receiver operating characteristic over images."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import image_ranking
from pybench.metrics.evaluation.ranking import auroc
from pybench.types import Evaluation, Metric


def image_auroc(evaluation: Evaluation) -> float:
    """Probability that an anomalous image scores above a normal one, ties counted half (Hanley & McNeil 1982).

    Raises:
        UndefinedMetricError: the test set has one class of images only.
    """
    return auroc(image_ranking(evaluation))


METRIC = Metric(
    name="image_auroc",
    level="image",
    higher_is_better=True,
    description="area under the ROC curve over images, ties counted half",
    function=image_auroc,
)
