"""Checks that a method's prediction keeps the contract of ``pybench.types.Prediction``: shapes and finite values."""

from __future__ import annotations

import torch

from pybench.types import Prediction


class MethodError(Exception):
    """A method broke the contract: NaN or infinity, or a wrong shape."""


def check_prediction(prediction: Prediction, batch_size: int, input_size: int) -> None:
    """Check the prediction for B images.

    Args:
        prediction: scores [B], maps [B, S, S] or None, and artefacts, either [B, K] or [B, 3, H, W].
        batch_size: B.
        input_size: S, in pixels.

    Raises:
        MethodError: a wrong shape, or a value that is not finite.
    """
    parts = [
        ("scores", prediction.scores, (batch_size,)),
        ("maps", prediction.maps, (batch_size, input_size, input_size)),
    ]
    for name, artefact in prediction.artefacts.items():
        ends = artefact.shape[1:] if artefact.ndim == 2 else (3, *artefact.shape[2:4])
        parts.append((f"the artefact {name}", artefact, (batch_size, *ends)))
    for name, values, shape in parts:
        if values is None:
            continue
        if tuple(values.shape) != shape:
            raise MethodError(f"predict returned {name} of shape {list(values.shape)}; expected {list(shape)}")
        bad = int((~torch.isfinite(values)).sum())
        if bad:
            raise MethodError(f"predict returned NaN or infinity in {bad} of {values.numel()} values of {name}")
