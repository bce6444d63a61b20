"""Synthetic anomalies on normal images: how pixels under a mask are changed, and the recipes of the papers.

Images are float32 RGB [3, S, S] in [0, 1], batches [B, 3, S, S], on any device; masks are bool [S, S] and [B, S, S],
true where the anomaly is. Pixels outside the mask stay bit for bit as they were. All randomness comes from the numpy
generator that is passed in.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pybench.training.foreground import Foreground, foreground_mask
from pybench.training.masks import perlin_mask, region_mask
from pybench.training.textures import Textures

_DRAWS = 20  # of a mask, until one meets the foregrounds
_DEEPEST_BETA = 0.8  # defect_map, below Eq. 2


def relight(image: Tensor, mask: Tensor, random: np.random.Generator) -> Tensor:
    """Darken or lighten the masked pixels: they lose 20 % to 80 % of their distance from black, or from white
    (local_occ, Sec. 2.3).

    The paper gives neither strength nor odds; the brighter the region, the likelier it is darkened, so that a black or
    white one does change.
    """
    kept = random.uniform(0.2, 0.8)
    darken = random.random() < float(image[:, mask].mean())
    return torch.where(mask, image * kept if darken else 1 - (1 - image) * kept, image)


def paste(image: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """The source under the mask, the image elsewhere: I_ad = I_o (1 - I_m) + I_n I_m (NDP-Net, Eq. 1)."""
    return torch.where(mask, source, image)


def blend(image: Tensor, source: Tensor, mask: Tensor, beta: float) -> Tensor:
    """A mixture under the mask: I_a = (A M_2) beta + (I M_2) (1 - beta) + I (1 - M_2) (defect_map, Eq. 2)."""
    return torch.where(mask, beta * source + (1 - beta) * image, image)


def outlier_exposure(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """In each image a random region darkened, lightened or replaced by a foreign texture (local_occ,
    Sec. 2.3 and Fig. 7).

    The paper gives no odds: replaced one time in three.

    Returns:
        The images with anomalies [B, 3, S, S] and their masks [B, S, S], none empty.
    """
    damaged, masks = [], []
    for image in images:
        mask = region_mask(images.shape[-1], random).to(images.device)
        if random.integers(3) == 0:
            damaged.append(paste(image, textures.draw(random).to(images.device), mask))
        else:
            damaged.append(relight(image, mask, random))
        masks.append(mask)
    return torch.stack(damaged), torch.stack(masks)


def foreground_blend(
    images: Tensor, sources: Tensor, random: np.random.Generator, *, foreground: Foreground
) -> tuple[Tensor, Tensor]:
    """In each image Perlin regions blended with its source, on the foregrounds of both (defect_map, Sec. 3.1, Eq. 1
    and 2).

    The mask is M_2 = A_M P_M I_M (source's foreground, Perlin mask, image's foreground); beta is even in [0, 0.8).

    Args:
        images: [B, 3, S, S].
        sources: [B, 3, S, S], the anomaly source of each.
        random: draws Perlin masks and betas.
        foreground: how foregrounds are found.

    Returns:
        The images with anomalies [B, 3, S, S] and their masks [B, S, S]. A mask is empty, and its image as it was, only
        where 20 Perlin masks in a row missed the two foregrounds.
    """
    damaged, masks = [], []
    for image, source in zip(images, sources, strict=True):
        allowed = (foreground_mask(source, foreground) & foreground_mask(image, foreground)).cpu()
        mask = _perlin_mask_within(allowed, random).to(images.device)
        damaged.append(blend(image, source, mask, random.uniform(0, _DEEPEST_BETA)))
        masks.append(mask)
    return torch.stack(damaged), torch.stack(masks)


def _perlin_mask_within(allowed: Tensor, random: np.random.Generator) -> Tensor:
    for _ in range(_DRAWS):
        mask = perlin_mask(len(allowed), random) & allowed
        if mask.any():
            break
    return mask


def perlin_paste(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """In each image Perlin regions replaced by a foreign texture (NDP-Net, Eq. 1, with DRAEM's masks).

    Returns:
        The images with anomalies [B, 3, S, S] and their masks [B, S, S], none empty.
    """
    masks = torch.stack([perlin_mask(images.shape[-1], random) for _ in images]).to(images.device)
    sources = torch.stack([textures.draw(random) for _ in images]).to(images.device)
    return paste(images, sources, masks[:, None]), masks
