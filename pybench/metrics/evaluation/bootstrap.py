"""Bootstrap intervals: how far an image metric moves with the draw of the test images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.image_scores import anomalous_scores, normal_scores
from pybench.types import Evaluation

Counts = NDArray[np.int64]


def bootstrap_interval(
    evaluation: Evaluation, metric_name: str, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval over test images drawn with replacement within each class.

    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13. It covers the draw of test images only, not of
    training images or seeds; with few images of a class it is too narrow.

    Args:
        metric_name: ``image_auroc`` or ``image_ap``.
        samples: number of resampled test sets.

    Returns:
        The 2.5 % and 97.5 % quantiles of the metric, both in [0, 1].

    Raises:
        UndefinedMetricError: the test set has one class only.
        KeyError: the metric is another one.
    """
    metric = RESAMPLED[metric_name]
    anomalous, normal = anomalous_scores(evaluation), normal_scores(evaluation)
    distinct, index = np.unique(np.concatenate((anomalous, normal)), return_inverse=True)
    rank = distinct.size - 1 - index
    rng = np.random.default_rng(seed)
    positives = _resample(rank[: anomalous.size], distinct.size, samples, rng)
    negatives = _resample(rank[anomalous.size :], distinct.size, samples, rng)
    low, high = np.quantile(metric(positives, negatives), (0.025, 0.975))
    return float(low), float(high)


def _resample(rank: NDArray[np.intp], ranks: int, samples: int, rng: np.random.Generator) -> Counts:
    """[samples, ranks] how many of as many draws from ``rank`` fall on each rank, 0 being the highest score.

    Drawing images with replacement and counting them by score is one multinomial draw.
    """
    share = np.bincount(rank, minlength=ranks) / rank.size
    return rng.multinomial(rank.size, share, size=samples)


def _auroc(positives: Counts, negatives: Counts) -> NDArray[np.float64]:
    """[samples] AUROC, ties counted half, of counts [samples, K] by descending score."""
    lost = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    values: NDArray[np.float64] = 1 - (positives * lost).sum(axis=1) / pairs
    return values


def _average_precision(positives: Counts, negatives: Counts) -> NDArray[np.float64]:
    """[samples] step-wise average precision of counts [samples, K] by descending score."""
    true_positives = np.cumsum(positives, axis=1)
    called = true_positives + np.cumsum(negatives, axis=1)
    # Before the first drawn image nothing is called; no positive is gained there either.
    precision = true_positives / np.maximum(called, 1)
    values: NDArray[np.float64] = (positives * precision).sum(axis=1) / positives.sum(axis=1)
    return values


RESAMPLED: dict[str, Callable[[Counts, Counts], NDArray[np.float64]]] = {
    "image_auroc": _auroc,
    "image_ap": _average_precision,
}
