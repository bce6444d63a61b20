"""The counts behind every metric that compares scores with labels, and the metrics that follow from them alone.

A threshold calls positive whatever scores *at or above* it. One that is no positive's score has the true positives of
the next higher score of a positive and at least its false positives, so the best threshold for F1, IoU and Youden's
index is a score of a positive, and a curve over the false positive rate bends only there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ranking:
    """How negatives lie among positives; K distinct scores of positives, highest first.

    Attributes:
        thresholds: [K] the distinct scores of positives, descending.
        true_positives: int64 [K], positives at or above each threshold.
        false_positives: int64 [K], negatives at or above each threshold.
        above: int64 [K], negatives strictly above each threshold; the difference to ``false_positives`` is the ties.
        index: [positives], which threshold each positive has, in the order in which the positives were given.
        negatives: number of negatives.
    """

    thresholds: NDArray[Any]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    above: NDArray[np.int64]
    index: NDArray[np.intp]
    negatives: int

    @property
    def positives(self) -> int:
        """Number of positives."""
        return int(self.index.size)


def rank(positives: NDArray[Any], negatives: Iterable[Callable[[], NDArray[Any]]], threads: int = 1) -> Ranking:
    """Count negatives above and at each distinct score of a positive.

    Args:
        positives: [P] scores, P >= 1.
        negatives: each call makes a chunk of scores of any length, which is sorted **in place**; counts add over
            chunks, so the memory beyond the positives is that of one chunk per thread.
        threads: chunks that are made, sorted and searched at a time.
    """
    ascending, index, counts = np.unique(positives, return_inverse=True, return_counts=True)
    above = np.zeros(ascending.size, np.int64)
    false_positives = np.zeros(ascending.size, np.int64)
    total = 0
    with ThreadPoolExecutor(threads) as pool:  # NumPy lets other threads run while it sorts, searches and copies
        for size, chunk_above, reached in pool.map(lambda chunk: _count(chunk(), ascending), negatives):
            above += chunk_above
            false_positives += reached
            total += size
    return Ranking(
        thresholds=ascending[::-1],
        true_positives=np.cumsum(counts[::-1], dtype=np.int64),
        false_positives=false_positives[::-1],
        above=above[::-1],
        index=ascending.size - 1 - index,
        negatives=total,
    )


def _count(chunk: NDArray[Any], thresholds: NDArray[Any]) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Number of scores, and how many lie above, and at or above, each of the ascending thresholds."""
    chunk.sort()
    below = np.searchsorted(chunk, thresholds)
    above = chunk.size - below
    # The search costs more than finding out where there is nothing more to be found, which is nearly everywhere.
    tied = np.flatnonzero(below < chunk.size)
    tied = tied[chunk[below[tied]] == thresholds[tied]]
    reached = above.copy()
    above[tied] = chunk.size - np.searchsorted(chunk, thresholds[tied], side="right")
    return chunk.size, above, reached


def auroc(ranking: Ranking) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney U; Hanley & McNeil 1982)."""
    gained = np.diff(ranking.true_positives, prepend=0)
    # Twice the number of pairs lost, in integers: the one rounding is that of the division.
    lost = int(np.dot(gained, ranking.above + ranking.false_positives))
    pairs = 2 * ranking.positives * ranking.negatives
    return (pairs - lost) / pairs


def average_precision(ranking: Ranking) -> float:
    """Sum over distinct thresholds of the gain in recall times the precision there, without interpolation."""
    gained = np.diff(ranking.true_positives, prepend=0)
    return float(np.sum(gained * precision(ranking)) / ranking.positives)


def precision(ranking: Ranking) -> NDArray[np.float64]:
    """[K] share of true positives among what lies at or above each threshold."""
    return ranking.true_positives / (ranking.true_positives + ranking.false_positives)


def f1(ranking: Ranking) -> NDArray[np.float64]:
    """[K] harmonic mean of precision and recall at each threshold, 2 TP / (2 TP + FP + FN)."""
    return 2 * ranking.true_positives / (ranking.true_positives + ranking.false_positives + ranking.positives)


def iou(ranking: Ranking) -> NDArray[np.float64]:
    """[K] intersection over union at each threshold, TP / (TP + FP + FN)."""
    return ranking.true_positives / (ranking.false_positives + ranking.positives)


def accuracy_at_youden(ranking: Ranking) -> float:
    """Accuracy at the threshold with the largest Youden index J = TPR - FPR (Youden 1950).

    Among thresholds of equal J the highest one counts, that is the one with the fewest alarms. Calling everything
    negative is a threshold too, with J = 0, so constant scores give the share of negatives.
    """
    positives, negatives = ranking.positives, ranking.negatives
    true_positives = np.concatenate(([0], ranking.true_positives))
    false_positives = np.concatenate(([0], ranking.false_positives))
    # J times positives times negatives, in integers, so that equal J compare equal; argmax takes the first.
    best = int(np.argmax(true_positives * negatives - false_positives * positives))
    return float((true_positives[best] + negatives - false_positives[best]) / (positives + negatives))
