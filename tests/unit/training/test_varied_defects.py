"""Synthetic anomalies of many kinds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pybench.training import varied_defects as recipe
from pybench.training.textures import Textures
from pybench.training.varied_defects import varied_defects

SIZE = 64
TEXTURES = Textures(None, SIZE)


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("seed", range(5))
def test_pixels_outside_the_mask_stay_and_those_inside_change(seed: int) -> None:
    given = images(8)
    damaged, masks = varied_defects(given, np.random.default_rng(seed), TEXTURES)
    assert damaged.shape == given.shape
    assert masks.shape == (8, SIZE, SIZE)
    assert torch.equal(damaged.movedim(1, -1)[~masks], given.movedim(1, -1)[~masks])
    assert 0 <= damaged.min() <= damaged.max() <= 1
    changed = (damaged - given).abs().amax(1)
    assert float((changed[masks] > 0).float().mean()) > 0.99  # two regions may cancel where they overlap


def test_three_images_of_ten_are_left_whole() -> None:
    _, masks = varied_defects(images(1).expand(400, -1, -1, -1), np.random.default_rng(0), TEXTURES)
    whole = 1 - float(masks.flatten(1).any(1).float().mean())
    assert 0.2 < whole < 0.42


def test_the_same_seed_gives_the_same_defects() -> None:
    one, other = (varied_defects(images(), np.random.default_rng(3), TEXTURES) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("source", recipe._SOURCES, ids=lambda source: source.__name__)
def test_every_kind_changes_the_region(source: recipe._Source) -> None:
    given = images()
    region = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    region[20:40, 10:50] = True
    changed = source(given[0], region, np.random.default_rng(0), TEXTURES)
    assert changed.shape == given[0].shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert float((changed - given[0]).abs()[:, region].mean()) > 0.02
