"""Defect segmentation of NDP-Net (Sec. III-D): an image against its reconstruction, at three scales."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pybench.images.score_maps import upsample
from pybench.training.losses import focal_loss

from .ndp_net_autoencoder import Convolution, layer_channels, resized_mask

SCALES = 3  # the encoder's first layers, which are compared
_WEIGHTS = (0.2, 0.2, 0.6)  # lambda of Eq. 11
_PRIOR = 0.1  # share of defective pixels that an untrained sub-network expects


class DefectSegmentation(nn.Module):
    """MSDSM: one sub-network per scale, from the concatenated features of the image and its reconstruction.

    The paper does not describe the sub-networks; here they are two 3x3 convolutions. They start out from one defective
    pixel in ten, because the focal loss learns slowly from even odds (Lin et al. 2017, Sec. 4.1).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_sub_network(channels) for channels in layer_channels(width)[:SCALES])

    def forward(self, features: Sequence[Tensor], reconstructed: Sequence[Tensor]) -> list[Tensor]:
        """Logits [B, H_l, W_l] of layers 1 to 3, from their features [B, C_l, H_l, W_l]; others are passed over."""
        pairs = zip(self.scales, features[:SCALES], reconstructed[:SCALES], strict=True)
        return [scale(torch.cat([layer, other], 1)).squeeze(1) for scale, layer, other in pairs]


def segmentation_loss(logits: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Eq. 10: mean over scales of the focal loss of logits [B, H_l, W_l] against masks bool [B, S, S], resized."""
    terms = [focal_loss(scale, resized_mask(masks, scale.shape[-1])) for scale in logits]
    return torch.stack(terms).mean()


def combine(maps: Sequence[Tensor], size: int) -> Tensor:
    """Eq. 11: weighted sum [B, size, size] of the maps [B, H_l, W_l] of three scales, upsampled bilinearly."""
    return torch.stack([weight * upsample(scale, size) for weight, scale in zip(_WEIGHTS, maps, strict=True)]).sum(0)


def pixel_gap(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Table VI, column D: absolute difference of images [B, 3, S, S], mean over colours: [B, S, S]."""
    return (images - reconstructions).abs().mean(1)


def _sub_network(channels: int) -> nn.Sequential:
    last = nn.Conv2d(channels, 1, 3, padding=1)
    assert last.bias is not None
    nn.init.constant_(last.bias, math.log(_PRIOR / (1 - _PRIOR)))
    return nn.Sequential(Convolution(2 * channels, channels), last)
