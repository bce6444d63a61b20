"""The ranking of pixel scores, which all pixel and region metrics share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pybench.metrics._ranking import Ranking, rank
from pybench.types import Evaluation, UndefinedMetricError

# 16 MiB of float32 scores are sorted at a time: in smaller chunks, searching them for each positive costs more than it
# saves, in larger ones the sort leaves the cache.
CHUNK_PIXELS = 1 << 22


def annotated(evaluation: Evaluation) -> list[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
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
        evaluation.shared["pixel_ranking"] = rank(positives, _negative_chunks(pairs))
    ranking: Ranking = evaluation.shared["pixel_ranking"]
    return ranking


def _negative_chunks(
    pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.float32]]],
) -> Iterator[NDArray[np.float32]]:
    """Scores of defect-free pixels, as chunks of whole images of about ``CHUNK_PIXELS`` each."""
    chunk: list[NDArray[np.float32]] = []
    size = 0
    for mask, scores in pairs:
        chunk.append(scores[~mask])
        size += chunk[-1].size
        if size >= CHUNK_PIXELS:
            yield np.concatenate(chunk)
            chunk, size = [], 0
    if chunk:
        yield np.concatenate(chunk)
