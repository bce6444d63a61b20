"""Striped pictures for the tests of the backbone ``adapted``."""

from __future__ import annotations

import torch
from torch import Tensor

from pybench.images.geometry import Geometry

SIZE = 32
GEOMETRY = Geometry(SIZE)


def stripes(count: int = 6, seed: int = 0, size: int = SIZE) -> Tensor:
    """Slanted noisy stripes [N, 3, S, S] of random phase."""
    generator = torch.Generator().manual_seed(seed)
    down, right = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    phases = 6.28 * torch.rand(count, 1, 1, generator=generator)
    waves = 0.5 + 0.25 * torch.sin((right + 0.5 * down) * 0.9 + phases)
    noise = 0.03 * torch.randn(count, 3, size, size, generator=generator)
    return (waves[:, None] + noise).clamp(0, 1)
