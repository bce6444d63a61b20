"""Random masks of synthetic anomalies: thresholded Perlin noise, and single connected regions.

Masks are bool [S, S], true where the anomaly is. All randomness comes from the numpy generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from pybench.ops.perlin_noise import perlin_noise
from pybench.training.procedural_textures import noise_seed

Mask = NDArray[np.bool_]

_DRAWS = 20  # of a mask, until one is as it should be
_REGION_SHARE = (0.001, 0.1)  # of the image that a region covers
_CELL_PIXELS = 8  # smallest cell of a Perlin lattice; DRAEM's finest has 32 cells on 256 pixels


def perlin_mask(size: int, random: np.random.Generator, *, threshold: float = 0.5) -> Tensor:
    """Where turned Perlin noise exceeds the threshold; never empty.

    The masks of DRAEM (Zavrtanik, Kristan and Skocaj, ICCV 2021), which defect_map and NDP-Net use too: along each axis
    2^0 to 2^5 cells (no cell under 8 pixels), turned by up to 90 degrees either way. Where 20 draws in a row stay below
    the threshold, the top of the last one is taken, down to half of its height.

    Args:
        size: side of the mask in pixels.
        random: draws cells, noise and angle.
        threshold: of the noise, which lies in [-1, 1].
    """
    finest = min(5, int(np.log2(max(1, size // _CELL_PIXELS))))
    for _ in range(_DRAWS):
        rows, columns = (2 ** random.integers(finest + 1, size=2)).tolist()
        noise = _turned(perlin_noise(size, size, (rows, columns), seed=noise_seed(random)), random.uniform(-90, 90))
        mask = noise > threshold
        if mask.any():
            return mask
    top = noise.max()
    return noise >= torch.minimum(top / 2, top)  # half of a negative top would be above it


def _turned(noise: Tensor, degrees: float) -> Tensor:
    """Turned about its centre; what lies outside is the mirrored inside."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = torch.tensor([[[cosine, -sine, 0], [sine, cosine, 0]]], dtype=noise.dtype)
    grid = affine_grid(turn, [1, 1, *noise.shape], align_corners=False)
    return grid_sample(noise[None, None], grid, padding_mode="reflection", align_corners=False)[0, 0]


def region_mask(size: int, random: np.random.Generator) -> Tensor:
    """One connected region of random place, size and shape: a blob, a polygon, or a strip like a scratch.

    It covers 0.1 % to 10 % of the image, evenly on a logarithmic scale. Its centre lies anywhere in the image, so the
    border may cut it.
    """
    for _ in range(_DRAWS):
        share = np.exp(random.uniform(*np.log(_REGION_SHARE)))
        outline = _OUTLINES[random.integers(len(_OUTLINES))](random)
        mask = _filled_outline(size, outline * np.sqrt(share / _area(outline)) * size, random)
        if _REGION_SHARE[0] <= mask.mean() <= _REGION_SHARE[1]:
            break
    return torch.from_numpy(mask)


def _blob(random: np.random.Generator) -> NDArray[np.float64]:
    """Outline [N, 2] about the origin: an ellipse whose radius is waved."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    order = np.arange(1, 6)[:, None]
    waves = random.uniform(-0.5, 0.5, (5, 1)) / order * np.cos(order * angle + random.uniform(0, 2 * np.pi, (5, 1)))
    radius = np.exp(waves.sum(0))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) * random.uniform(0.3, 1)], axis=1)


def _polygon(random: np.random.Generator) -> NDArray[np.float64]:
    """Outline [N, 2] about the origin, with three to eight corners."""
    corners = random.integers(3, 9)
    angle = (np.arange(corners) + random.uniform(-0.4, 0.4, corners)) * 2 * np.pi / corners
    radius = random.uniform(0.4, 1, corners)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _strip(random: np.random.Generator) -> NDArray[np.float64]:
    """Outline [N, 2] of a bent strip, 5 to 30 times as long as it is wide at its widest."""
    along = np.linspace(-1, 1, 16)
    middle = random.uniform(-0.4, 0.4) * (along**2 - 0.5) + random.uniform(-0.15, 0.15) * np.sin(3 * along)
    half_width = random.uniform(0.4, 1, 16) / random.uniform(5, 30)
    sides = np.stack([along, middle - half_width], axis=1), np.stack([along, middle + half_width], axis=1)
    return np.concatenate([sides[0], sides[1][::-1]])


_OUTLINES: tuple[Callable[[np.random.Generator], NDArray[np.float64]], ...] = (_blob, _polygon, _strip)


def _area(outline: NDArray[np.float64]) -> float:
    """Of a polygon [N, 2], by the shoelace formula."""
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _filled_outline(size: int, outline: NDArray[np.float64], random: np.random.Generator) -> Mask:
    """The outline turned at random and put at a random place; of what the border cuts apart, the largest piece."""
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = outline @ turn + random.uniform(0, size, 2)
    canvas = Image.new("L", (size, size))
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in placed.tolist()], fill=1)
    pieces, count = ndimage.label(np.asarray(canvas), np.ones((3, 3)))
    if count == 0:
        return np.zeros((size, size), np.bool_)
    largest: Mask = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    return largest
