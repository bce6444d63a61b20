"""Synthetic anomalies: how pixels are changed, and the recipes of the papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench.training.foreground import foreground_mask
from pybench.training.synthesis import blend, foreground_blend, outlier_exposure, paste, perlin_paste, relight
from pybench.training.textures import Textures
from tests.unit.training.drawing import SIZE, disc, generator, noise, picture

RECIPES: dict[str, Callable[[Tensor, np.random.Generator], tuple[Tensor, Tensor]]] = {
    "outlier_exposure": lambda images, random: outlier_exposure(images, random, Textures(None, SIZE)),
    "foreground_blend": lambda images, random: foreground_blend(images, images.flip(0), random, foreground="threshold"),
    "perlin_paste": lambda images, random: perlin_paste(images, random, Textures(None, SIZE)),
}


def test_blend_is_equation_2_of_002() -> None:
    image, source, mask = noise(3, 8, 8), noise(3, 8, 8, seed=1), noise(8, 8, seed=2) > 0.5
    m = mask.numpy().astype(np.float64)
    a, i = source.double().numpy(), image.double().numpy()
    expected = (a * m) * 0.3 + (i * m) * (1 - 0.3) + i * (1 - m)
    np.testing.assert_allclose(blend(image, source, mask, 0.3).numpy(), expected, atol=1e-6)
    assert torch.equal(blend(image, source, mask, 0.0), image)


def test_paste_is_equation_1_of_004() -> None:
    image, source, mask = noise(3, 8, 8), noise(3, 8, 8, seed=1), noise(8, 8, seed=2) > 0.5
    m = mask.float()
    assert torch.equal(paste(image, source, mask), image * (1 - m) + source * m)


def test_relight_moves_all_pixels_of_the_region_towards_black_or_all_towards_white() -> None:
    image, mask = noise(3, SIZE, SIZE) * 0.8 + 0.1, torch.from_numpy(disc(30, 30, 9))
    darkened = 0
    for seed in range(40):
        lit = relight(image, mask, generator(seed))
        assert torch.equal(lit[:, ~mask], image[:, ~mask])
        towards_black = (lit / image)[:, mask]
        towards_white = ((1 - lit) / (1 - image))[:, mask]
        darkened += bool((lit < image)[:, mask].all())
        factors = towards_black if (lit < image)[:, mask].all() else towards_white
        assert 0.2 <= factors.mean() <= 0.8
        torch.testing.assert_close(factors, factors.mean().expand_as(factors))
    assert 10 <= darkened <= 30


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_relight_changes_black_and_white_too(grey: float) -> None:
    image, mask = torch.full((3, 8, 8), grey), torch.ones(8, 8, dtype=torch.bool)
    for seed in range(10):
        assert (relight(image, mask, generator(seed)) - image).abs().min() >= 0.19


def objects(count: int = 4) -> Tensor:
    """A disc in front of an even background, each at its own place, [B, 3, S, S]."""
    return torch.stack([picture(disc(26 + 3 * n, 30 + 2 * n, 18), 0.3 + 0.1 * n, 0.9) for n in range(count)])


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_spoil_what_the_masks_say_and_nothing_else(name: str) -> None:
    images = objects()
    before = images.clone()
    damaged, masks = RECIPES[name](images, generator())
    assert torch.equal(images, before)
    assert (damaged.shape, masks.shape) == (images.shape, images.shape[:1] + images.shape[2:])
    assert (damaged.dtype, masks.dtype) == (torch.float32, torch.bool)
    assert masks.any((1, 2)).all()
    assert float(damaged.min()) >= 0
    assert float(damaged.max()) <= 1
    outside = ~masks[:, None].expand_as(images)
    assert torch.equal(damaged[outside], images[outside])
    changed = (damaged != images).any(1)[masks].float().mean()
    assert changed > 0.9


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_determined_by_their_generator(name: str) -> None:
    one, other = (RECIPES[name](objects(), generator(3)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[1], RECIPES[name](objects(), generator(4))[1])


@pytest.mark.parametrize("kind", ["threshold", "edges"])
def test_foreground_blend_stays_on_both_foregrounds(kind: Any) -> None:
    images, sources = objects(4), objects(4).flip(0)
    for seed in range(10):
        _, masks = foreground_blend(images, sources, generator(seed), foreground=kind)
        for image, source, mask in zip(images, sources, masks, strict=True):
            assert not (mask & ~(foreground_mask(image, kind) & foreground_mask(source, kind))).any()


def test_foreground_blend_takes_up_to_four_fifths_of_the_source() -> None:
    images, sources = torch.zeros(100, 3, SIZE, SIZE), torch.ones(100, 3, SIZE, SIZE)
    damaged, masks = foreground_blend(images, sources, generator(), foreground="threshold")
    betas = torch.stack([image[:, mask].mean() for image, mask in zip(damaged, masks, strict=True)])
    assert 0 <= betas.min() < 0.05
    assert 0.75 < betas.max() < 0.8
    assert 0.35 < betas.mean() < 0.45


def test_foreground_blend_leaves_an_image_alone_whose_foreground_its_source_does_not_meet() -> None:
    image = picture(disc(20, 20, 8), 0.2, 0.8)[None]
    source = picture(disc(48, 48, 8), 0.2, 0.8)[None]
    damaged, masks = foreground_blend(image, source, generator(), foreground="threshold")
    assert not masks.any()
    assert torch.equal(damaged, image)


def test_outlier_exposure_darkens_lightens_and_replaces() -> None:
    images = torch.full((60, 3, SIZE, SIZE), 0.5)
    damaged, masks = outlier_exposure(images, generator(), Textures(None, SIZE))
    kinds = []
    for image, mask in zip(damaged, masks, strict=True):
        values = image[:, mask]
        even = float(values.max() - values.min()) < 1e-6
        kinds.append(("darker" if values.mean() < 0.5 else "lighter") if even else "replaced")
    assert min(kinds.count(kind) for kind in ("darker", "lighter", "replaced")) >= 10
