"""Share of good images that would be rejected."""

from __future__ import annotations

from pybench.metrics.evaluation.image_scores import held_out_threshold, normal_scores
from pybench.types import Evaluation, Metric


def overkill_rate(evaluation: Evaluation) -> float:
    """Share of normal test images that score above the 95 % quantile of held-out normal scores.

    The threshold saw no test image.

    Raises:
        UndefinedMetricError: the protocol asks for no held-out folds, or the test set has no normal image.
    """
    return float((normal_scores(evaluation) > held_out_threshold(evaluation)).mean())


METRIC = Metric(
    name="overkill_rate",
    level="image",
    higher_is_better=False,
    description="share of good images rejected at a threshold set from held-out normal images",
    function=overkill_rate,
)
