"""Area under the receiver operating characteristic over pixels."""

from __future__ import annotations

from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.ranking import auroc
from pybench.types import Evaluation, Metric


def pixel_auroc(evaluation: Evaluation) -> float:
    """Probability that a defective pixel scores above a defect-free one, ties counted half (Hanley & McNeil 1982).

    Over all pixels of the test set, those of normal images included; images without annotation are left out.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    return auroc(pixel_ranking(evaluation))


METRIC = Metric(
    name="pixel_auroc",
    level="pixel",
    higher_is_better=True,
    description="area under the ROC curve over pixels, ties counted half",
    function=pixel_auroc,
)
