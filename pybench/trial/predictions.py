"""The predictions for all test images: the method is called batch by batch, and its answers are checked and joined."""

from __future__ import annotations

from collections import Counter
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
    """Predict all samples with a fitted method.

    Args:
        method: the fitted method.
        samples: the N samples, at least one.
        batch_size: images in one call of ``predict``, at most; images of other sizes go into another call.
        worst: collects the worst examples of all batches; None collects none.

    Raises:
        MethodError: a prediction breaks the contract, or score maps or an artefact are given for some images only.
    """
    scores: list[NDArray[np.float64]] = []
    vectors: dict[str, list[NDArray[np.float32]]] = {}
    maps: list[NDArray[np.float32]] = []
    shapes: list[tuple[int, int]] = []
    images_with: Counter[str] = Counter()
    for batch in DecodedImages(samples).batches(batch_size):
        prediction = method.predict(batch)
        check_prediction(prediction, len(batch), method.params.input_size)
        if worst is not None:
            worst.add(samples[len(shapes) : len(shapes) + len(batch)], batch, prediction)
        scores.append(prediction.scores.detach().cpu().numpy().astype(np.float64))
        shapes.extend([(batch.shape[-2], batch.shape[-1])] * len(batch))
        if prediction.maps is not None:
            maps.extend(prediction.maps.detach().cpu().numpy().astype(np.float32))
            images_with["a score map"] += len(batch)
        for name, values in prediction.artefacts.items():
            images_with[f"the artefact {name}"] += len(batch)
            if values.ndim == 2:
                vectors.setdefault(name, []).append(values.detach().cpu().numpy().astype(np.float32))
    for what, count in images_with.items():
        if count != len(samples):
            raise MethodError(f"predict gave {what} for {count} of {len(samples)} images; it must for all or for none")
    joined = {name: np.concatenate(parts) for name, parts in vectors.items()}
    return Predictions(np.concatenate(scores), maps or None, shapes, joined)
