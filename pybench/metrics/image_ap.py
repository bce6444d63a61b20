"""Average precision over images."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import image_ranking
from pybench.metrics.evaluation.ranking import average_precision
from pybench.types import Evaluation, Metric


def image_ap(evaluation: Evaluation) -> float:
    """Sum over distinct scores of the gain in recall times the precision there.

    Step-wise, without interpolation, as scikit-learn's ``average_precision_score``.

    Raises:
        UndefinedMetricError: the test set has one class of images only.
    """
    return average_precision(image_ranking(evaluation))


METRIC = Metric(
    name="image_ap",
    level="image",
    higher_is_better=True,
    description="average precision over images, step-wise",
    function=image_ap,
)
