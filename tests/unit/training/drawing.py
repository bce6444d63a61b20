"""Random values and simple pictures for the tests of synthetic anomalies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIZE = 64


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def disc(row: float, column: float, radius: float, size: int = SIZE) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)


def picture(shape: NDArray[np.bool_], inside: float, outside: float) -> Tensor:
    """A shape of one grey value on a background of another, with a little noise, [3, S, S]."""
    grey = np.where(shape, inside, outside) + generator().normal(0, 0.01, shape.shape)
    return torch.from_numpy(grey.clip(0, 1).astype(np.float32)).expand(3, -1, -1)
