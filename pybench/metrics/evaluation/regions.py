"""Defect regions, and the per-region overlap (PRO) integrated over the false positive rate.

PRO at a threshold is the mean over regions of the share of the region's pixels that score at or above it (Bergmann et
al., "Uninformed Students", CVPR 2020; "The MVTec Anomaly Detection Dataset", IJCV 2021). As in MVTec's own evaluation a
region is an 8-connected component of one image's mask, every region weighs the same, and the false positive rate is
that of all defect-free pixels of the test set, those of normal images included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.pixel_scores import annotated, pixel_ranking
from pybench.metrics.evaluation.ranking import Ranking
from pybench.types import Evaluation


@dataclass(frozen=True, slots=True)
class Regions:
    """Regions of a test set: ``index`` [positives] is the region of each defective pixel, in the order of
    ``pixel_ranking``; ``sizes`` [regions] is their number of pixels."""

    index: NDArray[np.intp]
    sizes: NDArray[np.intp]


def label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Region, from 0, of each defective pixel of a mask [H, W], row by row, and the number of regions."""
    # Here, because torch comes with it, which takes seconds, and a report needs the metrics' names only.
    from pybench.ops.connected_regions import connected_regions

    if not mask.any():
        return np.empty(0, np.int32), 0
    labels, counts = connected_regions(mask[None])
    return labels[0][mask] - 1, int(counts[0])


def regions(evaluation: Evaluation) -> Regions:
    """The regions of all masks, found once per evaluation.

    Raises:
        UndefinedMetricError: the method gives no maps.
    """
    if "regions" not in evaluation.shared:
        indices, total = [], 0
        for mask, _ in annotated(evaluation):
            index, count = label(mask)
            indices.append(index + total)
            total += count
        all_indices = np.concatenate(indices).astype(np.intp)
        evaluation.shared["regions"] = Regions(all_indices, np.bincount(all_indices, minlength=total))
    found: Regions = evaluation.shared["regions"]
    return found


def pro(evaluation: Evaluation) -> NDArray[np.float64]:
    """[K] PRO at each threshold of ``pixel_ranking``.

    Raises:
        UndefinedMetricError: see ``pixel_ranking``.
    """
    ranking, found = pixel_ranking(evaluation), regions(evaluation)
    gained = np.bincount(ranking.index, weights=(1 / found.sizes)[found.index]) / found.sizes.size
    overlap: NDArray[np.float64] = np.minimum(np.cumsum(gained), 1.0)
    return overlap


def area_under_pro(evaluation: Evaluation, limit: float) -> float:
    """Area under PRO over the false positive rate (FPR) from 0 to ``limit``, divided by ``limit``.

    The curve starts at (0, 0), has one vertex per distinct score of the test set and joins them by straight lines, so:

    * Defective pixels that tie with defect-free ones move PRO and FPR at once: a slanted segment, whose area is a
      trapezoid.
    * A segment that crosses the limit is cut there by linear interpolation, the first one too: constant scores give the
      line from (0, 0) to (1, 1), hence ``limit / 2``; if the highest score of all belongs to defect-free pixels whose
      share exceeds the limit, the result is 0, and more if defective pixels tie with them.
    * A score that only defect-free pixels have extends the curve horizontally, so only the scores of defective pixels
      matter, and each of these pixels adds to the area independently of the others: see ``area_share``.

    Args:
        limit: in (0, 1].

    Raises:
        UndefinedMetricError: see ``pixel_ranking``.
    """
    ranking, found = pixel_ranking(evaluation), regions(evaluation)
    share = area_share(ranking, limit)[ranking.index]
    # Sums of shares of at most 1 round to at most the region's size, so the result lies in [0, 1] without clipping.
    return float(np.mean(np.bincount(found.index, weights=share) / found.sizes))


def area_share(ranking: Ranking, limit: float) -> NDArray[np.float64]:
    """[K] area that a defective pixel at each threshold adds below the limit, as a share of the most it could add.

    Its step in PRO rises in a straight line from FPR ``a`` (defect-free pixels above it) to ``b`` (those that tie with
    it included) and stays: nothing is added where ``limit <= a``, ``limit - (a + b) / 2`` where ``limit >= b``, and the
    triangle ``(limit - a)^2 / (2 (b - a))`` between. FPR is counted in pixels.
    """
    end = limit * ranking.negatives
    start, stop = ranking.above, ranking.false_positives
    triangle = np.clip(end - start, 0, None) ** 2 / (2 * np.maximum(stop - start, 1))
    return np.where(stop > end, triangle, end - (start + stop) / 2) / end
