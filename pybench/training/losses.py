"""Losses that several methods share."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad
from torchvision.ops import sigmoid_focal_loss

_RADIUS, _DEVIATION = 5, 1.5  # of the window of SSIM, in pixels
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM, for values in [0, 1]


def focal_loss(logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Mean focal loss (Lin et al. 2017, Eq. 5): ``-alpha_t (1 - p_t)^gamma log(p_t)``.

    Args:
        logits: of the probability that a pixel is positive [B, 1, H, W].
        target: 0 or 1, of the logits' shape; bool or floating.
        alpha: weight of positive pixels in [0, 1], that of negative ones being ``1 - alpha``; -1 weighs both by 1.
        gamma: how much pixels that are already right count less; 0 gives the cross entropy.
    """
    logits = logits.float()
    loss: Tensor = sigmoid_focal_loss(logits, target.to(logits.dtype), alpha, gamma, reduction="mean")
    return loss


def ssim_map(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity at every pixel (Wang et al. 2004), averaged over channels; 1 where the images agree.

    An 11x11 Gaussian window of standard deviation 1.5, reflected at the border.

    Args:
        one: images [B, C, H, W] in [0, 1], at least 6 pixels a side.
        other: images of the same shape.

    Returns:
        [B, 1, H, W] in [-1, 1].
    """
    # Half precision, which mixed precision would take for the windows' sums, leaves nothing of small variances.
    with torch.autocast(one.device.type, enabled=False):
        x, y = one.float(), other.float()
        mean_x, square_x, product = _windowed(torch.cat([x, x * x, x * y], 1)).chunk(3, 1)
        mean_y, square_y = _windowed(torch.cat([y, y * y], 1)).chunk(2, 1)  # without gradients where y has none
        variance_x, variance_y = (square_x - mean_x**2).clamp_min(0), (square_y - mean_y**2).clamp_min(0)
        covariance = product - mean_x * mean_y
        alike = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
        similarity = alike / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))
        return similarity.mean(1, keepdim=True)


def _windowed(maps: Tensor) -> Tensor:
    """Sums over Gaussian windows about every pixel of [B, C, H, W]: a window is a product of rows and columns."""
    height, width = maps.shape[-2:]
    return _window_sums(height).to(maps.device) @ maps @ _window_sums(width).to(maps.device).T


@lru_cache(8)
@torch.inference_mode(False)  # kept for a training, whoever asks first
@torch.no_grad()
def _window_sums(size: int) -> Tensor:
    """The matrix [size, size] whose product with a column sums it over windows, reflected at the border."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1.0)
    window = torch.exp(-(offsets**2) / (2 * _DEVIATION**2))
    padded = pad(torch.eye(size), (_RADIUS, _RADIUS), mode="reflect")
    return conv1d(padded[:, None], (window / window.sum())[None, None])[:, 0].T.contiguous()
