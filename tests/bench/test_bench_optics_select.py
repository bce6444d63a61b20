"""optics_select on all positions of three layers beside scikit-learn's OPTICS, which finds the regions only."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.cluster import OPTICS
from torch import Tensor

from pybench.ops import optics_select

LAYERS = ((4096, 256), (1024, 512), (256, 1024))  # positions, channels
SHEETS = 60


@lru_cache(maxsize=1)
def layers(count: int) -> list[Tensor]:
    """Features in the layout of a network's layers, [N, C, H * W] seen as [N, H * W, C]: ten groups, after a ReLU."""
    generator = torch.Generator().manual_seed(0)
    features = []
    for positions, channels in LAYERS:
        centers = torch.randn(10, channels, positions, generator=generator)
        noise = torch.empty(count, channels, positions).normal_(generator=generator)
        for i in range(count):
            noise[i] += centers[i % 10]
        features.append(noise.relu_().transpose(1, 2))
    return features


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(1 - a @ b / np.sqrt((a @ a) * (b @ b)))


def callable_metric(examples: NDArray[np.float32]) -> OPTICS:
    return OPTICS(min_samples=max(2, len(examples) // SHEETS), metric=cosine).fit(examples)


def precomputed(examples: NDArray[np.float32]) -> OPTICS:
    unit = examples / np.linalg.norm(examples, axis=1, keepdims=True)
    distances = np.clip(1 - unit @ unit.T, 0, 2)
    np.fill_diagonal(distances, 0)
    return OPTICS(min_samples=max(2, len(examples) // SHEETS), metric="precomputed").fit(distances)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "baseline", "positions"), [("callable metric", callable_metric, 2), ("precomputed", precomputed, 8)]
)
@pytest.mark.parametrize("count", [209, 391])
def test_optics_select(
    compare: Callable[..., None], fma_ms: Callable[..., float], count: int, name: str, baseline: Any, positions: int
) -> None:
    """The share is of positions in the first layer, whose vectors are the shortest: the cheapest for the baseline."""
    features = layers(count)

    def scikit_learn() -> None:
        for position in range(positions):
            baseline(features[0][:, position].numpy())

    compare(
        op="optics_select",
        case=f"{SHEETS} of {count}, three layers",
        ours=lambda: [optics_select(layer, SHEETS) for layer in features],
        baselines={f"scikit-learn, {name}": scikit_learn},
        share=positions / sum(of_layer for of_layer, _ in LAYERS),
        floor_ms=fma_ms(count * (count + 1) // 2 * sum(of_layer * channels for of_layer, channels in LAYERS)),
    )
