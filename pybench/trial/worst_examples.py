"""The worst examples of a trial in one picture: the defective images with the lowest scores and the normal images with
the highest, each with its score map, its mask and the pictures that the method adds."""

from __future__ import annotations

import io
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate

from pybench.images.geometry import Geometry
from pybench.images.loading import read_mask
from pybench.types import Prediction, Sample

Picture = NDArray[np.uint8]  # [T, T, 3]

_KEPT = 4  # of each kind
_TILE, _GAP, _LINE = 128, 4, 14  # pixels
_MASK = np.array([0, 230, 118], np.uint8)  # of the outline: no colour of the scale
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
# From low to high scores, linear between these; lightness (CIE L*) rises evenly from 10 to 96.
_SCALE = np.array(
    [
        (28, 17, 73),
        (74, 24, 108),
        (127, 29, 123),
        (182, 39, 117),
        (228, 64, 94),
        (253, 110, 66),
        (254, 162, 80),
        (254, 206, 113),
        (254, 247, 152),
    ]
)


@dataclass(frozen=True)
class _Example:
    """An image at the size of a tile, T = 128. ``pictures`` holds the image and the method's artefacts [T, T, 3];
    ``map`` is [T, T] or None, ``mask`` bool [T, T] or None."""

    sample: Sample
    score: float
    pictures: dict[str, Picture]
    map: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None

    @property
    def wrongness(self) -> float:
        """How wrong the score is for the label; larger is worse."""
        return -self.score if self.sample.label else self.score


class WorstExamples:
    """Collects the worst examples of a test set while it is predicted. Other images are not held in memory.

    Args:
        geometry: of the model's input, in which everything is shown.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._worst: dict[int, list[_Example]] = {1: [], 0: []}  # by label, the worst first

    def add(self, samples: Sequence[Sample], images: Tensor, prediction: Prediction) -> None:
        """Take note of a batch: images [B, 3, H, W] as decoded, with their samples and predictions."""
        for index, (sample, score) in enumerate(zip(samples, prediction.scores.tolist(), strict=True)):
            worst = self._worst[sample.label]
            if len(worst) < _KEPT or (-score if sample.label else score) > worst[-1].wrongness:
                insort(worst, self._example(sample, images[index], prediction, index), key=lambda one: -one.wrongness)
                del worst[_KEPT:]

    def png(self) -> bytes:
        """The contact sheet as a PNG file. All score maps share one scale."""
        sections = {
            "defective images with the lowest scores": self._worst[1],
            "normal images with the highest scores": self._worst[0],
        }
        shown = {title: examples for title, examples in sections.items() if examples}
        maps = [example.map for examples in shown.values() for example in examples if example.map is not None]
        low, high = (min(map_.min() for map_ in maps), max(map_.max() for map_ in maps)) if maps else (0.0, 0.0)
        buffer = io.BytesIO()
        _sheet(shown, float(low), float(high)).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def _example(self, sample: Sample, image: Tensor, prediction: Prediction, index: int) -> _Example:
        shown = {"image": self.geometry.to_input(image[None])[0]}
        shown |= {name: values[index] for name, values in prediction.artefacts.items() if values.ndim == 4}
        mask = read_mask(sample, (image.shape[-2], image.shape[-1])) if sample.label else None
        return _Example(
            sample,
            prediction.scores[index].item(),
            {name: _picture(picture) for name, picture in shown.items()},
            None if prediction.maps is None else _tile(prediction.maps[index][None])[0].numpy(),
            None if mask is None else _small_mask(self.geometry.labels_to_input(mask.astype(np.uint8))),
        )


def _tile(values: Tensor) -> Tensor:
    """[C, H, W] resized to [C, T, T]."""
    values = values.detach().float().cpu()[None]
    tile: Tensor = interpolate(values, size=(_TILE, _TILE), mode="bilinear", antialias=True, align_corners=False)[0]
    return tile


def _picture(image: Tensor) -> Picture:
    return (_tile(image).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def _small_mask(mask: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """The mask at a tile's size; a defect of one pixel is still visible."""
    pooled = adaptive_max_pool2d(torch.from_numpy(mask.astype(np.float32))[None], (_TILE, _TILE))
    return pooled[0].numpy() > 0


def _coloured(map_: NDArray[np.float32], low: float, high: float) -> Picture:
    place = (map_ - low) / (high - low or 1.0) * (len(_SCALE) - 1)
    channels = [np.interp(place, np.arange(len(_SCALE)), channel) for channel in _SCALE.T]
    return np.stack(channels, axis=2).round().astype(np.uint8)


def _outlined(picture: Picture, mask: NDArray[np.bool_]) -> Picture:
    """The picture with a line around the mask, both [T, T]."""
    line = ndimage.binary_dilation(mask, np.ones((3, 3))) & ~mask
    return np.where(line[..., None], _MASK, picture)


def _tiles(example: _Example, low: float, high: float) -> dict[str, Picture]:
    """The tiles of one example by the names of their columns."""
    tiles = dict(example.pictures)
    if example.map is not None:
        tiles["score map"] = _coloured(example.map, low, high)
    picture = example.pictures["image"]
    return tiles | {"mask": picture if example.mask is None else _outlined(picture, example.mask)}


def _sheet(sections: dict[str, list[_Example]], low: float, high: float) -> Image.Image:
    rows = [[(example, _tiles(example, low, high)) for example in examples] for examples in sections.values()]
    columns = list(rows[0][0][1])
    width = _GAP + len(columns) * (_TILE + _GAP)
    height = _LINE + sum(_LINE + len(section) * (_LINE + _TILE + _GAP) for section in rows)
    sheet = Image.new("RGB", (width, height), _WHITE)
    text = ImageDraw.Draw(sheet)
    top = 0
    for place, name in enumerate(columns):
        label = f"{name} {low:.3g} to {high:.3g}" if name == "score map" else name
        _write(text, _GAP + place * (_TILE + _GAP), top, label, _TILE)
    top += _LINE
    for title, section in zip(sections, rows, strict=True):
        text.rectangle((0, top, width, top + _LINE - 1), fill=_BLACK)
        _write(text, _GAP, top, title, width - 2 * _GAP, fill=_WHITE)
        top += _LINE
        for example, tiles in section:
            sample = example.sample
            label = f"{example.score:.4g}  {sample.defect_type}  {sample.image.name}"
            _write(text, _GAP, top, label, width - 2 * _GAP)
            top += _LINE
            for place, name in enumerate(columns):
                sheet.paste(Image.fromarray(tiles[name]), (_GAP + place * (_TILE + _GAP), top))
            top += _TILE + _GAP
    return sheet


def _write(
    text: ImageDraw.ImageDraw, left: int, top: int, words: str, width: int, fill: tuple[int, int, int] = _BLACK
) -> None:
    """One line, cut where it would leave its width; Pillow's own font knows ASCII for sure."""
    font = ImageFont.load_default()
    words = words.encode("ascii", "replace").decode()
    while words and font.getlength(words) > width:
        words = words[:-1]
    text.text((left, top + 1), words, fill=fill, font=font)
