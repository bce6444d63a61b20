"""Filters on score maps that several methods use: upsampling, blur, mean and median."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad
from torchvision.transforms.functional import gaussian_blur

from pybench.stages import stage


@stage("postprocess")
def upsample(maps: Tensor, size: int) -> Tensor:
    """Bilinear upsampling of maps [B, h, w] to [B, size, size]."""
    resized: Tensor = interpolate(maps.unsqueeze(1), size=(size, size), mode="bilinear", align_corners=False).squeeze(1)
    return resized


@stage("postprocess")
def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of maps [B, H, W] with the standard deviation ``sigma`` in pixels; 0 does nothing.

    The kernel ends at four standard deviations; maps are reflected at the border.
    """
    if sigma == 0:
        return maps
    side = 2 * min(math.ceil(4 * sigma), min(maps.shape[-2:]) - 1) + 1
    blurred = maps.unsqueeze(1)
    for kernel_size in ([side, 1], [1, side]):  # a tenth of the square kernel's time
        blurred = gaussian_blur(blurred, kernel_size, [sigma, sigma])
    return blurred.squeeze(1)


@stage("postprocess")
def mean_filter(maps: Tensor, side: int) -> Tensor:
    """Mean over a square of ``side`` (odd) pixels around every pixel of maps [B, H, W], edges repeated."""
    return avg_pool2d(_padded(maps, side), side, stride=1).squeeze(1)


@stage("postprocess")
def median_filter(maps: Tensor, side: int) -> Tensor:
    """Median over a square of ``side`` (odd) pixels around every pixel of maps [B, H, W], edges repeated."""
    squares = _padded(maps, side).unfold(2, side, 1).unfold(3, side, 1).flatten(4)
    return squares.median(4).values.squeeze(1)


def _padded(maps: Tensor, side: int) -> Tensor:
    return pad(maps.unsqueeze(1), [side // 2] * 4, mode="replicate")
