"""Curves to keep with a record, thinned to what a plot can show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.image_scores import image_ranking
from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.ranking import Ranking, f1, iou, precision
from pybench.metrics.evaluation.regions import pro
from pybench.types import Evaluation, UndefinedMetricError

MAX_POINTS = 2000


def curves(evaluation: Evaluation) -> dict[str, NDArray[np.float32]]:
    """Each defined curve as points [n, 2] with n <= 2000, to be joined by straight lines except where noted.

    * ``image_roc``, ``pixel_roc``: false positive rate, true positive rate.
    * ``image_pr``, ``pixel_pr``: recall, precision at each distinct score of a positive; average precision is the area
      under steps that reach back from each point to the recall before it.
    * ``pro``: false positive rate, per-region overlap.
    * ``pixel_iou``: threshold, intersection over union at each distinct score of a defective pixel, descending.

    The curves are thinned by ``thin``; the points of ``image_f1_max``, ``pixel_f1_max`` and ``pixel_iou_max`` stay.
    """
    drawn: dict[str, Callable[[], NDArray[np.float64]]] = {
        "image_roc": lambda: _roc(image_ranking(evaluation)),
        "image_pr": lambda: _precision_recall(image_ranking(evaluation)),
        "pixel_roc": lambda: _roc(pixel_ranking(evaluation)),
        "pixel_pr": lambda: _precision_recall(pixel_ranking(evaluation)),
        "pixel_iou": lambda: _iou(pixel_ranking(evaluation)),
        "pro": lambda: _pro(evaluation),
    }
    points: dict[str, NDArray[np.float32]] = {}
    for name, draw in drawn.items():
        try:
            points[name] = draw().astype(np.float32)
        except UndefinedMetricError:
            continue
    return points


def thin(points: NDArray[np.float64], keep: int = 0, limit: int = MAX_POINTS) -> NDArray[np.float64]:
    """At most ``limit`` of the points [n, 2] of a curve, with no corner lost.

    The curve is cut into ``limit // 2 - 1`` pieces of equal length, each axis scaled to its range and length measured
    as |dx| + |dy|; of each piece the first and the last point stay. So both ends of every long segment stay, and the
    thinned curve leaves the exact one by at most the length of a piece: for a monotone curve and 2,000 points, |dx| +
    |dy| is at most 2 / 999 of the axes.

    Args:
        keep: index of a point that stays in any case.
    """
    if len(points) <= limit:
        return points
    extent = np.ptp(points, axis=0)
    steps = np.abs(np.diff(points, axis=0)) / np.where(extent > 0, extent, 1)
    length = np.concatenate(([0.0], np.cumsum(steps.sum(axis=1))))
    pieces = limit // 2 - 1
    piece = np.minimum(length / max(length[-1], np.finfo(float).tiny) * pieces, pieces - 1).astype(np.int64)
    begins = np.concatenate(([True], piece[1:] != piece[:-1]))
    stays = begins | np.append(begins[1:], True)
    stays[keep] = True
    thinned: NDArray[np.float64] = points[stays]
    return thinned


def _rising(ranking: Ranking, reached: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a curve over the false positive rate from (0, 0) to (1, 1) that has ``reached`` [K] at each threshold.

    Every threshold has two vertices: just above it, where the curve arrives horizontally, and at it.
    """
    rates = np.stack((ranking.above, ranking.false_positives), axis=1).ravel() / ranking.negatives
    heights = np.stack((np.concatenate(([0.0], reached[:-1])), reached), axis=1).ravel()
    points = np.stack((np.concatenate(([0.0], rates, [1.0])), np.concatenate(([0.0], heights, [1.0]))), axis=1)
    moved = (np.diff(points, axis=0) != 0).any(axis=1)
    return thin(points[np.concatenate(([True], moved))])


def _roc(ranking: Ranking) -> NDArray[np.float64]:
    return _rising(ranking, ranking.true_positives / ranking.positives)


def _pro(evaluation: Evaluation) -> NDArray[np.float64]:
    return _rising(pixel_ranking(evaluation), pro(evaluation))


def _precision_recall(ranking: Ranking) -> NDArray[np.float64]:
    points = np.stack((ranking.true_positives / ranking.positives, precision(ranking)), axis=1)
    return thin(points, keep=int(np.argmax(f1(ranking))))


def _iou(ranking: Ranking) -> NDArray[np.float64]:
    overlap = iou(ranking)
    return thin(np.stack((ranking.thresholds.astype(np.float64), overlap), axis=1), keep=int(np.argmax(overlap)))
