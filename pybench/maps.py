"""What several methods do to a coarse score map before they return it."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import gaussian_blur


def upsample(maps: Tensor, size: int) -> Tensor:
    """Bilinear upsampling of maps [B, h, w] to [B, size, size]."""
    return interpolate(maps.unsqueeze(1), size=(size, size), mode="bilinear", align_corners=False).squeeze(1)


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of maps [B, H, W], cut at four standard deviations, reflected at the border; 0 does nothing."""
    if sigma == 0:
        return maps
    radius = min(math.ceil(4 * sigma), min(maps.shape[-2:]) - 1)
    blurred: Tensor = gaussian_blur(maps.unsqueeze(1), kernel_size=[2 * radius + 1] * 2, sigma=[sigma, sigma])
    return blurred.squeeze(1)
