"""The ranking of pixel scores, which all pixel and region metrics share.

Maps are read twice, first their defective pixels, then the others in chunks: they may lie in memory-mapped files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.ranking import Ranking, rank
from pybench.types import Evaluation, UndefinedMetricError

# Defect-free scores are sorted this many at a time, or more where there are so many positives that searching them in
# every chunk would cost more than the sort.
CHUNK_PIXELS = 1 << 21
CHUNK_PIXELS_PER_POSITIVE = 8

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
    import torch  # here, because it takes seconds and a report needs the metrics' names only

    if "pixel_ranking" not in evaluation.shared:
        pairs = annotated(evaluation)
        if not any(mask.any() for mask, _ in pairs):
            raise UndefinedMetricError("the test set has no annotated defect")
        if all(mask.all() for mask, _ in pairs):
            raise UndefinedMetricError("the test set has no defect-free pixel")
        positives = np.concatenate([scores[mask] for mask, scores in pairs])
        evaluation.shared["pixel_ranking"] = rank(
            positives,
            _negative_chunks(pairs, max(CHUNK_PIXELS, CHUNK_PIXELS_PER_POSITIVE * positives.size)),
            torch.get_num_threads(),
        )
    ranking: Ranking = evaluation.shared["pixel_ranking"]
    return ranking


def _negative_chunks(pairs: Pairs, chunk_pixels: int) -> Iterator[Callable[[], NDArray[np.float32]]]:
    """Calls that each make the scores of the defect-free pixels of some images, of ``chunk_pixels`` together or one."""
    chunk: list[tuple[NDArray[np.bool_], NDArray[np.float32]]] = []
    filled = 0
    for mask, scores in pairs:
        if chunk and filled + mask.size > chunk_pixels:
            yield partial(_negatives, chunk)
            chunk, filled = [], 0
        chunk.append((mask, scores))
        filled += mask.size
    yield partial(_negatives, chunk)


def _negatives(pairs: Pairs) -> NDArray[np.float32]:
    negatives = np.empty(sum(mask.size for mask, _ in pairs), np.float32)
    filled = 0
    for mask, scores in pairs:
        normal = scores[~mask] if mask.any() else scores.ravel()
        negatives[filled : filled + normal.size] = normal
        filled += normal.size
    return negatives[:filled]
