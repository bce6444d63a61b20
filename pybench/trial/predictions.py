"""The predictions for all test images: the method is called batch by batch, and its answers are checked and joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pybench.images.loading import DecodedImages
from pybench.trial.contract import MethodError, check_prediction
from pybench.trial.worst_examples import WorstExamples
from pybench.types import Method, Sample


@dataclass(frozen=True)
class Predictions:
    """What a method predicted for N samples, in their order.

    ``scores`` is [N]; ``maps`` holds N score maps [S, S], or is None. ``shapes`` are the heights and widths of the
    images. ``vectors`` are the artefacts that are one vector per image, [N, K] by name.
    """

    scores: NDArray[np.float64]
    maps: list[NDArray[np.float32]] | None
    shapes: list[tuple[int, int]]
    vectors: dict[str, NDArray[np.float32]]


def predict_all(
    method: Method, samples: Sequence[Sample], batch_size: int, worst: WorstExamples | None = None
) -> Predictions:
    """Predict all samples with a fitted method; ``worst`` is shown every batch.

    Raises:
        MethodError: a prediction breaks the contract, or score maps are given for some images only.
    """
    scores: list[NDArray[np.float64]] = []
    vectors: dict[str, list[NDArray[np.float32]]] = {}
    maps: list[NDArray[np.float32]] = []
    shapes: list[tuple[int, int]] = []
    for batch in DecodedImages(samples).batches(batch_size):
        prediction = method.predict(batch)
        check_prediction(prediction, len(batch), method.params.input_size)
        if worst is not None:
            worst.add(samples[len(shapes) : len(shapes) + len(batch)], batch, prediction)
        scores.append(prediction.scores.detach().cpu().numpy().astype(np.float64))
        shapes.extend([(batch.shape[-2], batch.shape[-1])] * len(batch))
        if prediction.maps is not None:
            maps.extend(prediction.maps.detach().cpu().numpy().astype(np.float32))
        for name, values in prediction.artefacts.items():
            if values.ndim == 2:
                vectors.setdefault(name, []).append(values.detach().cpu().numpy().astype(np.float32))
    if maps and len(maps) != len(samples):
        raise MethodError(
            f"predict gave a score map for {len(maps)} of {len(samples)} images; it must for all or for none"
        )
    joined = {name: np.concatenate(parts) for name, parts in vectors.items()}
    return Predictions(np.concatenate(scores), maps or None, shapes, joined)
