"""Average precision over pixels."""

from __future__ import annotations

from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.ranking import average_precision
from pybench.types import Evaluation, Metric


def pixel_ap(evaluation: Evaluation) -> float:
    """Sum over distinct scores of the gain in recall times the precision there.

    Step-wise, without interpolation, as scikit-learn's ``average_precision_score``.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    return average_precision(pixel_ranking(evaluation))


METRIC = Metric(
    name="pixel_ap",
    level="pixel",
    higher_is_better=True,
    description="average precision over pixels, step-wise",
    function=pixel_ap,
)
