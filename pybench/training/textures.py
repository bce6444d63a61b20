"""Foreign textures, which stand for unknown defects: the images of a folder, or procedural ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

from pybench.images.decoding import IMAGE_SUFFIXES
from pybench.images.loading import DecodedImages, fingerprint
from pybench.training.procedural_textures import procedural_texture
from pybench.types import InputError, Sample

_KEPT_PICTURES = 256  # decoded pictures of a folder that stay in memory, about 3 MB each for textures of 256 pixels


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
    clamped: Tensor = resized[0].clamp_(0, 1)
    return clamped
