"""Synthetic anomalies of many kinds, sizes, strengths and edges.

The recipes of the papers make the defects that their networks learn to segment. This one is for features that are
trained to tell normal places from any others, so it varies as much as it can. Pieces of other normal images are not
among its sources: on a texture they are as normal as what was there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pybench.training.masks import perlin_mask, region_mask
from pybench.training.synthesis import relight
from pybench.training.textures import Textures

_LEFT_WHOLE = 0.3  # share of the images
_STRONGEST = 0.4, 1.0  # opacity of a defect
_VISIBLE = 0.05  # smallest change of a channel that counts as anomalous


def varied_defects(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """In seven images of ten, one or two regions relit, textured, filled or blurred.

    Args:
        images: float32 [B, 3, S, S] in [0, 1], on the CPU.
        random: draws everything.
        textures: of side S.

    Returns:
        The images with anomalies [B, 3, S, S] and their masks [B, S, S]: where a channel changed by more than 0.05.
    """
    damaged, masks = [], []
    for image in images:
        changed, total = image, torch.zeros(image.shape[1:], dtype=torch.bool)
        for _ in range(0 if random.random() < _LEFT_WHOLE else random.integers(1, 3)):
            changed, mask = _with_anomaly(changed, random, textures)
            total |= mask
        damaged.append(changed)
        masks.append(total)
    return torch.stack(damaged), torch.stack(masks)


def _with_anomaly(image: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    size = image.shape[-1]
    region = (
        region_mask(size, random) if random.random() < 0.7 else perlin_mask(size, random, threshold=_height(random))
    )
    source = _SOURCES[random.integers(len(_SOURCES))](image, region, random, textures)
    opacity = _soft(region, random) * random.uniform(*_STRONGEST)
    blended = image + (source - image) * opacity
    mask = (blended - image).abs().amax(0) > _VISIBLE
    return torch.where(mask, blended, image), mask


def _height(random: np.random.Generator) -> float:
    """A threshold for Perlin noise that leaves smaller and larger regions."""
    return float(random.uniform(0.4, 0.7))


def _soft(region: Tensor, random: np.random.Generator) -> Tensor:
    """The region in [0, 1], half the time with an edge that is 3 to 7 pixels wide."""
    hard = region.float()
    return hard if random.random() < 0.5 else _smoothed(hard[None], 2 * int(random.integers(1, 4)) + 1)[0]


def _smoothed(picture: Tensor, side: int) -> Tensor:
    """Means over squares of an odd side, [C, S, S]."""
    return avg_pool2d(picture[None], side, 1, side // 2, count_include_pad=False)[0]


def _relit(image: Tensor, region: Tensor, random: np.random.Generator, textures: Textures) -> Tensor:
    return relight(image, torch.ones_like(region), random)


def _textured(image: Tensor, region: Tensor, random: np.random.Generator, textures: Textures) -> Tensor:
    """A foreign texture about the image's mean colour, in seven of ten grey."""
    texture = textures.draw(random)
    if random.random() < 0.7:
        texture = texture.mean(0, keepdim=True)
    varied = (texture - texture.mean()) * random.uniform(0.3, 1.2)
    return (image.mean((1, 2), keepdim=True) + varied).clamp(0, 1)


def _filled(image: Tensor, region: Tensor, random: np.random.Generator, textures: Textures) -> Tensor:
    """One colour, not far from that of the region."""
    colour = (image[:, region].mean(1) * random.uniform(0.5, 1.5)).clamp(0, 1)
    return colour[:, None, None].expand_as(image)


def _blurred(image: Tensor, region: Tensor, random: np.random.Generator, textures: Textures) -> Tensor:
    return _smoothed(image, 2 * int(random.integers(2, 6)) + 1)


_Source = Callable[[Tensor, Tensor, np.random.Generator, Textures], Tensor]
_SOURCES: tuple[_Source, ...] = (_relit, _textured, _filled, _blurred)
