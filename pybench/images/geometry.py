"""Where a pixel of the image lies in the model's input, and back: resize to a square, then an optional centre crop.

The same geometry serves images (antialiased), masks (nearest neighbour) and score maps (bilinear, the way
back), so a map and a mask always mean the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from pybench.stages import stage
from pybench.types import MethodParams

Interpolation = Literal["bilinear", "bicubic"]
Labels = TypeVar("Labels", bound=np.generic)


@dataclass(frozen=True)
class Geometry:
    """``image_size`` is the side after resizing, in pixels; ``crop_size`` <= image_size the side of the centre crop, or
    None for no crop. ``interpolation`` is that of images; masks and maps have their own."""

    image_size: int
    crop_size: int | None = None
    interpolation: Interpolation = "bilinear"

    @classmethod
    def of(cls, params: MethodParams) -> Geometry:
        """The geometry that a method's parameters ask for."""
        return cls(params.image_size, params.crop_size)

    @property
    def input_size(self) -> int:
        """Side of the model's square input."""
        return self.crop_size or self.image_size

    @property
    def _margin(self) -> int:
        return (self.image_size - self.input_size) // 2

    @stage("preprocess")
    def to_input(self, images: Tensor) -> Tensor:
        """Resize and crop images [B, 3, H, W] to [B, 3, S, S], S = ``input_size``."""
        size = (self.image_size, self.image_size)
        if images.shape[-2:] != size:
            images = interpolate(images, size=size, mode=self.interpolation, antialias=True, align_corners=False)
            if self.interpolation == "bicubic":  # which overshoots at edges
                images = images.clamp(0, 1)
        start, stop = self._margin, self._margin + self.input_size
        return images[..., start:stop, start:stop]

    def labels_to_input(self, labels: NDArray[Labels]) -> NDArray[Labels]:
        """Resize (nearest neighbour at pixel centres) and crop a mask, or its region labels, [H, W] to [S, S]."""
        positions = np.arange(self._margin, self._margin + self.input_size) + 0.5
        rows = (positions * labels.shape[0] / self.image_size).astype(np.intp)
        columns = (positions * labels.shape[1] / self.image_size).astype(np.intp)
        return labels[np.ix_(rows, columns)]

    def map_to_image(self, score_map: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
        """Bring a map [S, S] to the image's own size [height, width]; pixels that were cropped away get the map's
        minimum."""
        full = torch.full((1, 1, self.image_size, self.image_size), float(score_map.min()))
        start, stop = self._margin, self._margin + self.input_size
        full[..., start:stop, start:stop] = torch.from_numpy(score_map)
        resized: Tensor = interpolate(full, size=(height, width), mode="bilinear", align_corners=False)
        return resized[0, 0].numpy()
