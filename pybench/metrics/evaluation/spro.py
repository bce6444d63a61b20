"""The saturated per-region overlap (sPRO), and its integral over the false positive rate.

sPRO at a threshold is the mean over regions of min(found / saturation, 1), where found is the number of the region's
pixels that score at or above the threshold (P. Bergmann et al., "Beyond Dents and Scratches", IJCV 130, 2022, Sec. 4).
As in MVTec's own evaluation of LOCO a region is an annotation channel, which may overlap others, and the false positive
rate is that of the pixels that are defective in no channel, those of normal images included. Where the annotation does
not tell regions apart they are connected components that saturate at their size, and sPRO is PRO.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.pixel_scores import pixel_ranking
from pybench.metrics.evaluation.regions import area_share, regions
from pybench.types import Evaluation


@dataclass(frozen=True, slots=True)
class Members:
    """Which pixels belong to which region: ``pixel`` [M] is a defective pixel, as numbered by ``pixel_ranking``,
    ``region`` [M] one that it belongs to; ``saturations`` [regions] counts pixels."""

    pixel: NDArray[np.intp]
    region: NDArray[np.intp]
    saturations: NDArray[np.float64]


def area_under_spro(evaluation: Evaluation, limit: float) -> float:
    """Area under sPRO over the false positive rate (FPR) from 0 to ``limit``, divided by ``limit``.

    The curve is drawn, and cut at the limit, as in ``area_under_pro``. A region's sPRO rises only until as many of its
    pixels are found as saturate it, so the area is that of its pixels of highest score up to this number; of one more
    pixel the fraction counts that is left.

    Args:
        limit: in (0, 1].

    Raises:
        UndefinedMetricError: see ``pixel_ranking``.
    """
    ranking, members = pixel_ranking(evaluation), _members(evaluation)
    share = area_share(ranking, limit)[ranking.index][members.pixel]
    # The share never rises as the score falls, so a region's largest shares are those of its highest scores.
    order = np.lexsort((-share, members.region))
    region = members.region[order]
    sizes = np.bincount(region, minlength=members.saturations.size)
    place = np.arange(region.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    counted = np.clip(members.saturations[region] - place, 0, 1)
    found = np.bincount(region, weights=share[order] * counted) / members.saturations
    return float(np.mean(np.minimum(found, 1.0)))


def _members(evaluation: Evaluation) -> Members:
    if evaluation.regions is None:
        found = regions(evaluation)
        return Members(np.arange(found.index.size), found.index, found.sizes.astype(np.float64))
    pixels: list[NDArray[np.intp]] = []
    saturations: list[float] = []
    passed = 0
    for mask, of_image in zip(evaluation.masks, evaluation.regions, strict=True):
        if mask is None:
            continue
        defective = np.flatnonzero(mask)
        pixels += [passed + np.searchsorted(defective, region.pixels) for region in of_image]
        saturations += [region.saturation for region in of_image]
        passed += defective.size
    index = np.repeat(np.arange(len(pixels)), [found.size for found in pixels])
    return Members(np.concatenate(pixels), index, np.array(saturations))
