"""The ranking of pixel scores, which all pixel and region metrics share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pybench.metrics._ranking import Ranking, rank
from pybench.types import Evaluation, UndefinedMetricError

# Defect-free scores are sorted this many at a time, or more where there are so many positives that searching them in
# every chunk would cost more than the sort.
CHUNK_PIXELS = 1 << 22
CHUNK_PIXELS_PER_POSITIVE = 16

Pairs = Sequence[tuple[NDArray[np.bool_], NDArray[np.float32]]]


def annotated(evaluation: Evaluation) -> Pairs:
    """Mask and map of each test image that has a mask; an anomalous image without annotation is left out.

    Raises:
        UndefinedMetricError: the method gives no maps.
    """
    if evaluation.maps is None:
        raise UndefinedMetricError("the method gives no score maps")
    return [(mask, scores) for mask, scores in zip(evaluation.masks, evaluation.maps, strict=True) if mask is not None]


def pixel_ranking(evaluation: Evaluation) -> Ranking:
    """Ranking of defective (positive) among defect-free pixels of the whole test set, computed once per evaluation.

    Positives are in the order of the images and row by row within each, as ``map[mask]`` gives them.

    Raises:
        UndefinedMetricError: the method gives no maps, or the masks have one class of pixels only.
    """
    if "pixel_ranking" not in evaluation.shared:
        pairs = annotated(evaluation)
        if not any(mask.any() for mask, _ in pairs):
            raise UndefinedMetricError("the test set has no annotated defect")
        if all(mask.all() for mask, _ in pairs):
            raise UndefinedMetricError("the test set has no defect-free pixel")
        positives = np.concatenate([scores[mask] for mask, scores in pairs])
        evaluation.shared["pixel_ranking"] = rank(
            positives, _negative_chunks(pairs, max(CHUNK_PIXELS, CHUNK_PIXELS_PER_POSITIVE * positives.size))
        )
    ranking: Ranking = evaluation.shared["pixel_ranking"]
    return ranking


def _negative_chunks(pairs: Pairs, chunk_pixels: int) -> Iterator[NDArray[np.float32]]:
    """Scores of defect-free pixels in chunks of whole images; each chunk overwrites the one before it."""
    sizes = [mask.size for mask, _ in pairs]
    chunk = np.empty(max(max(sizes), min(chunk_pixels, sum(sizes))), np.float32)
    filled = 0
    for mask, scores in pairs:
        negatives = scores[~mask]
        if filled + negatives.size > chunk.size:
            yield chunk[:filled]
            filled = 0
        chunk[filled : filled + negatives.size] = negatives
        filled += negatives.size
    yield chunk[:filled]
