"""The foreground of an image: where the object is, in front of an even background."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

Foreground = Literal["edges", "threshold"]
Mask = NDArray[np.bool_]


def foreground_mask(image: Tensor, kind: Foreground) -> Tensor:
    """Where the object is, in front of an even background that reaches the border (defect_map, Sec. 3.1, first
    stage).

    ``threshold`` splits the grey values by Otsu's method; the side that fills most of the border is background.
    ``edges`` takes where the gradient is steep by Otsu's method and thickens it by 1/64 of the side. Holes are filled.
    A picture without such a background, like that of a texture, is foreground everywhere.

    Args:
        image: float32 [3, S, S] in [0, 1].
        kind: how to find it.

    Returns:
        bool [S, S] on the image's device.
    """
    grey = image.mean(0).cpu().numpy()
    found = _beyond_threshold(grey) if kind == "threshold" else _within_edges(grey)
    if not _stands_free(found):
        found = np.ones_like(found)
    return torch.from_numpy(found).to(image.device)


def _beyond_threshold(grey: NDArray[np.float32]) -> Mask:
    bright = grey > _otsu(grey)
    return _without_holes(~bright if _border(bright).mean() > 0.5 else bright)


def _within_edges(grey: NDArray[np.float32]) -> Mask:
    steepness = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    radius = max(1, len(grey) // 64)
    thick = ndimage.maximum_filter(steepness > _otsu(steepness), 2 * radius + 1)
    return _without_holes(thick)


def _stands_free(mask: Mask) -> bool:
    """Whether a mask is an object's: on the border about half as dense as on the whole picture, or less.

    What Otsu's threshold takes out of a texture is as dense there as anywhere.
    """
    return bool(mask.any() and _border(mask).mean() <= 0.55 * mask.mean())


def _border(mask: Mask) -> Mask:
    return np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])


def _without_holes(mask: Mask) -> Mask:
    """With every background region that does not touch the border; scipy's own filling takes four times as long."""
    regions, count = ndimage.label(~mask)
    outside = np.zeros(count + 1, np.bool_)
    outside[_border(regions)] = True
    outside[0] = False
    filled: Mask = ~outside[regions]
    return filled


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that parts values best: the largest variance between the two sides (Otsu 1979), on 256 bins."""
    counts, edges = np.histogram(values, 256)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = values.size - below
    centres = (edges[:-1] + edges[1:]) / 2
    sums = np.cumsum(counts * centres)
    excess = (sums[-1] * below / values.size - sums[:-1]) ** 2
    between = np.divide(excess, below * above, out=np.zeros_like(below), where=below * above > 0)
    return float(edges[1 + between.argmax()])
