"""Share of anomalous images that would pass."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import anomalous_scores, held_out_threshold
from pybench.types import Evaluation, Metric


def escape_rate(evaluation: Evaluation) -> float:
    """Share of anomalous test images that score at or below the 95 % quantile of held-out normal scores.

    The threshold saw no test image.

    Raises:
        UndefinedMetricError: the protocol asks for no held-out folds, or the test set has no anomalous image.
    """
    return float((anomalous_scores(evaluation) <= held_out_threshold(evaluation)).mean())


METRIC = Metric(
    name="escape_rate",
    level="image",
    higher_is_better=False,
    description="share of anomalous images passed at a threshold set from held-out normal images",
    function=escape_rate,
)
