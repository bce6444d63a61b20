"""Procedural textures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pybench.training import procedural_textures
from pybench.training.textures import Textures
from tests.unit.training.drawing import generator


def test_procedural_textures_are_various() -> None:
    random = generator()
    drawn = torch.stack([Textures(None, 48).draw(random) for _ in range(60)])
    assert drawn.shape == (60, 3, 48, 48)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < 0.05 < 0.95 < float(drawn.max()) <= 1
    assert float(drawn.mean((2, 3)).std(0).min()) > 0.1, "colours differ between textures"
    spread = drawn.std((2, 3)).amax(1)
    assert float(spread.median()) > 0.08, "most have structure"
    fineness = (drawn[..., 1:] - drawn[..., :-1]).abs().mean((1, 2, 3)) / spread
    assert float(fineness.max()) > 4 * float(fineness.min()), "scales differ between textures"


@pytest.mark.parametrize("family", procedural_textures._FAMILIES, ids=lambda family: family.__name__)
@pytest.mark.parametrize("size", [32, 96])
def test_every_family_fills_the_unit_interval(family: Callable[..., NDArray[np.float32]], size: int) -> None:
    random = generator()
    for _ in range(20):
        field = family(size, random)
        assert (field.shape, field.dtype) == ((size, size), np.float32)
        assert 0 <= field.min() <= field.max() <= 1
