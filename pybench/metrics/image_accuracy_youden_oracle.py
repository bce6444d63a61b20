"""Image accuracy at Youden's threshold."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import image_ranking
from pybench.metrics.evaluation.ranking import accuracy_at_youden
from pybench.types import Evaluation, Metric


def image_accuracy_youden_oracle(evaluation: Evaluation) -> float:
    """Share of images classified rightly at the threshold with the largest TPR - FPR (Youden 1950).

    The threshold is chosen on test labels, hence the name; of several the highest counts, and calling nothing
    anomalous is one of them.

    Raises:
        UndefinedMetricError: the test set has one class of images only.
    """
    return accuracy_at_youden(image_ranking(evaluation))


METRIC = Metric(
    name="image_accuracy_youden_oracle",
    level="image",
    higher_is_better=True,
    description="image accuracy at Youden's threshold, chosen on test labels",
    function=image_accuracy_youden_oracle,
)
