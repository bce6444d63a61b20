"""Losses that several methods share, from torchvision and torchmetrics."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure
from torchvision.ops import sigmoid_focal_loss


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
        # All channels as those of one image: the convolution takes 60 % of the time, and the values are the same.
        _, similarity = structural_similarity_index_measure(
            one.float().flatten(0, 1)[None], other.float().flatten(0, 1)[None], data_range=1.0, return_full_image=True
        )
    return similarity.view_as(one).mean(1, keepdim=True)
