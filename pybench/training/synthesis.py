"""Artificial defects on normal images: the masks, the ways to spoil what lies under them, and the papers' recipes.

Images are float32 RGB [3, S, S] in [0, 1], batches [B, 3, S, S], on any device; masks are bool [S, S] and [B, S, S],
true where the image is spoilt. Pixels outside the mask stay bit for bit as they were. All randomness comes from the
numpy generator that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from pybench.images.decoding import IMAGE_SUFFIXES
from pybench.images.loading import DecodedImages, fingerprint
from pybench.ops.perlin_noise import perlin_noise
from pybench.training.textures import noise_seed, procedural_texture
from pybench.types import InputError, Sample

Foreground = Literal["edges", "threshold"]
Mask = NDArray[np.bool_]

_DRAWS = 20  # of a mask, until one is as it should be
_REGION_SHARE = (0.001, 0.1)  # of the image that a region covers
_CELL_PIXELS = 8  # smallest cell of a Perlin lattice; DRAEM's finest has 32 cells on 256 pixels
_DEEPEST_BETA = 0.8  # 002, below Eq. 2
_KEPT_PICTURES = 256  # decoded pictures of a folder that stay in memory, at most about 1 MB each at 256 pixels


class Textures:
    """Foreign textures that stand for unknown defects: the images of a folder, else procedural ones.

    Args:
        folder: holds images, also in folders below it (ImageNet and DTD as unpacked, PASCAL VOC's JPEGImages); None
            for procedural textures.
        size: side of the textures in pixels.

    Raises:
        InputError: the folder is not there, or has no images.
    """

    def __init__(self, folder: Path | None, size: int) -> None:
        self.size = size
        self.images = DecodedImages([] if folder is None else _samples(folder))
        self._picture = lru_cache(_KEPT_PICTURES)(self._decode)

    def draw(self, random: np.random.Generator) -> Tensor:
        """One texture, float32 [3, S, S] in [0, 1].

        Of an image of the folder it is a random square, from half of the shorter side to all of it, mirrored half the
        time.

        Raises:
            InputError: an image of the folder cannot be used; names it and says why.
        """
        if not self.images:
            return procedural_texture(self.size, random)
        picture = self._picture(int(random.integers(len(self.images))))
        height, width = picture.shape[-2:]
        side = int(random.integers(max(1, min(height, width) // 2), min(height, width) + 1))
        top, left = random.integers(height - side + 1), random.integers(width - side + 1)
        square = picture[:, top : top + side, left : left + side]
        return _resized(square.flip(2) if random.random() < 0.5 else square, self.size, self.size)

    def _decode(self, index: int) -> Tensor:
        """The picture, its shorter side scaled down to at most twice the textures' size."""
        picture = self.images[index]
        height, width = picture.shape[-2:]
        factor = min(1.0, 2 * self.size / min(height, width))
        return _resized(picture, max(1, round(factor * height)), max(1, round(factor * width)))


def textures_fingerprint(folder: Path) -> str:
    """16 hex digits that change with the images of a folder of textures, by name or content.

    Raises:
        InputError: the folder is not there, has no images, or one cannot be read.
    """
    return fingerprint(_samples(folder))


def _samples(folder: Path) -> list[Sample]:
    visible = (file for file in folder.rglob("*") if not file.name.startswith("."))
    files = sorted(file for file in visible if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        problem = "has no images" if folder.is_dir() else "is no folder"
        raise InputError(f"{folder}: {problem}; textures are read from files that end in {', '.join(IMAGE_SUFFIXES)}")
    return [Sample(file, alpha="white") for file in files]


def _resized(picture: Tensor, height: int, width: int) -> Tensor:
    if picture.shape[-2:] == (height, width):
        return picture
    resized = interpolate(picture[None], size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized[0].clamp_(0, 1)


# --- masks --------------------------------------------------------------------------------------------------------


def perlin_mask(size: int, random: np.random.Generator, *, threshold: float = 0.5) -> Tensor:
    """Where turned Perlin noise exceeds the threshold; never empty.

    As DRAEM (Zavrtanik, Kristan and Skocaj, ICCV 2021) makes it, on which 002 and 004 stand: along each axis 2^0 to 2^5
    cells (no cell under 8 pixels), turned by up to 90 degrees either way. Where 20 draws in a row stay below the
    threshold, the top of the last one is taken, down to half of its height.

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
    return noise >= noise.max() / 2


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


def foreground_mask(image: Tensor, kind: Foreground) -> Tensor:
    """Where the object is, in front of an even background that reaches the border (002, Sec. 3.1, first stage).

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


# --- what happens under a mask ------------------------------------------------------------------------------------


def relight(image: Tensor, mask: Tensor, random: np.random.Generator) -> Tensor:
    """Darken or lighten the masked pixels (000, Sec. 2.3): they lose 20 % to 80 % of their distance from black, or from
    white.

    The paper gives neither strength nor odds; the brighter the region, the likelier it is darkened, so that a black or
    white one does change.
    """
    kept = random.uniform(0.2, 0.8)
    darken = random.random() < float(image[:, mask].mean())
    return torch.where(mask, image * kept if darken else 1 - (1 - image) * kept, image)


def paste(image: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """The source under the mask, the image elsewhere: I_ad = I_o (1 - I_m) + I_n I_m (004, Eq. 1)."""
    return torch.where(mask, source, image)


def blend(image: Tensor, source: Tensor, mask: Tensor, beta: float) -> Tensor:
    """A mixture under the mask: I_a = (A M_2) beta + (I M_2) (1 - beta) + I (1 - M_2) (002, Eq. 2)."""
    return torch.where(mask, beta * source + (1 - beta) * image, image)


# --- recipes ------------------------------------------------------------------------------------------------------


def outlier_exposure(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """In each image a random region darkened, lightened or replaced by a foreign texture (000, Sec. 2.3 and Fig. 7).

    The paper gives no odds: replaced one time in three.

    Returns:
        The spoilt images [B, 3, S, S] and their masks [B, S, S], none empty.
    """
    spoilt, masks = [], []
    for image in images:
        mask = region_mask(images.shape[-1], random).to(images.device)
        if random.integers(3) == 0:
            spoilt.append(paste(image, textures.draw(random).to(images.device), mask))
        else:
            spoilt.append(relight(image, mask, random))
        masks.append(mask)
    return torch.stack(spoilt), torch.stack(masks)


def foreground_blend(
    images: Tensor, sources: Tensor, random: np.random.Generator, *, foreground: Foreground
) -> tuple[Tensor, Tensor]:
    """In each image Perlin regions blended with its source, on the foregrounds of both (002, Sec. 3.1, Eq. 1 and 2).

    The mask is M_2 = A_M P_M I_M (source's foreground, Perlin mask, image's foreground); beta is even in [0, 0.8).

    Args:
        images: [B, 3, S, S].
        sources: [B, 3, S, S], the anomaly source of each.
        random: draws Perlin masks and betas.
        foreground: how foregrounds are found.

    Returns:
        The spoilt images [B, 3, S, S] and their masks [B, S, S]. A mask is empty, and its image as it was, only where
        20 Perlin masks in a row missed the two foregrounds.
    """
    spoilt, masks = [], []
    for image, source in zip(images, sources, strict=True):
        allowed = (foreground_mask(source, foreground) & foreground_mask(image, foreground)).cpu()
        mask = _perlin_mask_within(allowed, random).to(images.device)
        spoilt.append(blend(image, source, mask, random.uniform(0, _DEEPEST_BETA)))
        masks.append(mask)
    return torch.stack(spoilt), torch.stack(masks)


def _perlin_mask_within(allowed: Tensor, random: np.random.Generator) -> Tensor:
    for _ in range(_DRAWS):
        mask = perlin_mask(len(allowed), random) & allowed
        if mask.any():
            break
    return mask


def perlin_paste(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """In each image Perlin regions replaced by a foreign texture (004, Eq. 1, with DRAEM's masks).

    Returns:
        The spoilt images [B, 3, S, S] and their masks [B, S, S], none empty.
    """
    masks = torch.stack([perlin_mask(images.shape[-1], random) for _ in images]).to(images.device)
    sources = torch.stack([textures.draw(random) for _ in images]).to(images.device)
    return paste(images, sources, masks[:, None]), masks
