"""perlin_noise on one image, with lattices from coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pybench.ops.perlin_noise import perlin_noise


def by_numpy(side: int, cells: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """The usual vectorised form: every corner's influence on all pixels, mixed."""
    angles = generator.random((cells[0] + 1, cells[1] + 1), np.float32) * np.float32(2 * math.pi)
    gradients = np.stack([np.cos(angles), np.sin(angles)])
    places = [np.arange(side, dtype=np.float32) * count / side for count in cells]
    corners = [place.astype(np.intp) for place in places]
    y, x = ((place - corner).astype(np.float32) for place, corner in zip(places, corners, strict=True))

    def influence(down: int, right: int) -> NDArray[np.float32]:
        upright, sideways = gradients[:, (corners[0] + down)[:, None], corners[1] + right]
        return upright * (y - down)[:, None] + sideways * (x - right)

    along_y, along_x = (t * t * t * (t * (t * 6 - 15) + 10) for t in (y[:, None], x))
    upper = influence(0, 0) * (1 - along_x) + influence(0, 1) * along_x
    lower = influence(1, 0) * (1 - along_x) + influence(1, 1) * along_x
    return np.float32(math.sqrt(2)) * (upper * (1 - along_y) + lower * along_y)


@pytest.mark.parametrize(("side", "cells"), [(256, (2, 4)), (256, (32, 32)), (1024, (8, 32))])
def test_one_image(compare: Callable[..., None], side: int, cells: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    compare(
        op="perlin_noise",
        case=f"{side} x {side}, {cells[0]} x {cells[1]} cells",
        ours=lambda: perlin_noise(side, side, cells, seed=0),
        baselines={
            "numpy": lambda: by_numpy(side, cells, generator),
            "torch": lambda: perlin_noise(side, side, cells, seed=0, backend="reference"),
        },
        threads=1,
    )
