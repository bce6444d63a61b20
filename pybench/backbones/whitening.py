"""Whitening of feature maps, fitted on the normal images: what is rare counts, not what is large."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_SHRINKAGE = 0.1  # added to every variance, as a share of their mean


class Whitening:
    """ZCA of each layer: the inverse root of the covariance of its channels over all places of all images.

    The mean is kept: where a method compares directions, what is common to all places must not cancel.
    """

    def __init__(self, matrices: list[Tensor]) -> None:
        self.matrices = matrices  # [C, C] per layer, symmetric

    @classmethod
    def of(cls, batches: Iterable[list[Tensor]]) -> Whitening:
        """Fit to batches of feature maps [B, C_l, H_l, W_l], one per layer; at least one batch."""
        moments: list[_Moments] = []
        for layers in batches:
            moments = moments or [_Moments() for _ in layers]
            for moment, layer in zip(moments, layers, strict=True):
                moment.add(layer)
        return cls([moment.whitening() for moment in moments])

    def to(self, device: str) -> Whitening:
        return Whitening([matrix.to(device) for matrix in self.matrices])

    def __call__(self, layers: list[Tensor]) -> list[Tensor]:
        """The layers, whitened."""
        return [conv2d(layer, matrix[:, :, None, None]) for layer, matrix in zip(layers, self.matrices, strict=True)]


class _Moments:
    """Mean and covariance of feature vectors, summed up in double precision."""

    def __init__(self) -> None:
        self.count, self.total, self.products = 0, torch.zeros(1), torch.zeros(1)

    def add(self, layer: Tensor) -> None:
        vectors = layer.movedim(1, -1).flatten(0, 2).double().cpu()
        self.count += len(vectors)
        self.total = self.total + vectors.sum(0)
        self.products = self.products + vectors.T @ vectors

    def whitening(self) -> Tensor:
        mean = self.total / self.count
        variances, axes = torch.linalg.eigh(self.products / self.count - mean[:, None] * mean)
        variances = variances.clamp(min=0)
        shrunk = variances + _SHRINKAGE * variances.mean().clamp(min=1e-12)
        whitening: Tensor = (axes * shrunk.rsqrt()) @ axes.T
        return whitening.float()
