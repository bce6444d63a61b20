"""Encoder, decoder and defect-perception loss of NDP-Net (Sec. III-B).

The paper gives neither widths nor strides. Here layer l has stride 2^(l-1), so that the segmentation module's first map
has the input's size, as Eq. 11 asks; widths double from layer to layer and stay at eight times the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss
from torch.nn.utils.fusion import fuse_conv_bn_eval

_SMALLEST_RANGE = 1e-6  # of a map that is normalised: where nothing differs it stays at 0


def layer_channels(width: int) -> tuple[int, ...]:
    """Channels of the encoder's five layers; ``width`` is that of the first."""
    return width, 2 * width, 4 * width, 8 * width, 8 * width


class Encoder(nn.Module):
    """Five layers of two convolutions each, at strides 1, 2, 4, 8 and 16."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = layer_channels(width)
        before = (3, *channels[:-1])
        strides = (1, 2, 2, 2, 2)
        self.layers = nn.ModuleList(
            nn.Sequential(Convolution(inputs, outputs, stride), Convolution(outputs, outputs))
            for inputs, outputs, stride in zip(before, channels, strides, strict=True)
        )

    def forward(self, images: Tensor, depth: int = 5) -> list[Tensor]:
        """Feature maps [B, C_l, S / 2^(l-1), S / 2^(l-1)] of layers 1 to ``depth`` of images [B, 3, S, S]."""
        features = [images]
        for layer in self.layers[:depth]:
            features.append(layer(features[-1]))
        return features[1:]

    def frozen(self) -> Encoder:
        """A copy with the weights as they are, whose batch norms have become part of the convolutions.

        It gives what this one gives in evaluation mode; gradients reach what it is given, and no weight.
        """
        copy = deepcopy(self).eval().requires_grad_(False)
        for block in [module for module in copy.modules() if isinstance(module, Convolution)]:
            kernel, norm = block[0], block[1]
            assert isinstance(kernel, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            block[0] = fuse_conv_bn_eval(kernel, norm)
            del block[1]
        return copy.requires_grad_(False)


class Decoder(nn.Module):
    """Images from the features of layers 3, 4 and 5.

    Layer 5 is decoded and layers 4 and 3 join it on the way. Layers 1 and 2 do not: nothing repairs their features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second, third, fourth, fifth = layer_channels(width)
        self.to_fourth, self.join_fourth = _doubling(fifth, fourth), Convolution(2 * fourth, fourth)
        self.to_third, self.join_third = _doubling(fourth, third), Convolution(2 * third, third)
        self.to_image = nn.Sequential(
            _doubling(third, second),
            Convolution(second, second),
            _doubling(second, first),
            Convolution(first, first),
            nn.Conv2d(first, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Images [B, 3, S, S] in [0, 1] of the feature maps of layers 3, 4 and 5."""
        third, fourth, fifth = features
        hidden = self.join_fourth(torch.cat([self.to_fourth(fifth), fourth], 1))
        hidden = self.join_third(torch.cat([self.to_third(hidden), third], 1))
        image: Tensor = self.to_image(hidden)
        return image


class Convolution(nn.Sequential):
    """A 3x3 convolution, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


def feature_gap(one: Tensor, other: Tensor) -> Tensor:
    """Squared difference of feature maps [B, C, H, W], mean over channels: [B, H, W]; M(||.||^2) in Eq. 2."""
    return (one.float() - other.float()).square().mean(1)


def defect_perception_loss(normal: Sequence[Tensor], damaged: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Eq. 2: the features of an image and of its damaged copy should differ where it was damaged, and only there.

    The paper does not say what N normalises by; here each map is brought to [0, 1] by its own least and largest value.
    The squared norm is a mean over pixels, so that no layer counts by its size.

    Args:
        normal: feature maps [B, C_l, H_l, W_l] of the images, one per layer.
        damaged: those of their damaged copies.
        masks: what was damaged, bool [B, S, S]; resized by nearest neighbour.
    """
    terms = [
        mse_loss(_rescaled(feature_gap(*pair)), resized_mask(masks, pair[0].shape[-1]))
        for pair in zip(normal, damaged, strict=True)
    ]
    return torch.stack(terms).mean()


def resized_mask(masks: Tensor, size: int) -> Tensor:
    """Masks bool [B, S, S] as float [B, size, size] of 0 and 1 (nearest neighbour)."""
    resized: Tensor = interpolate(masks[:, None].float(), size=(size, size), mode="nearest-exact").squeeze(1)
    return resized


def _rescaled(maps: Tensor) -> Tensor:
    least, largest = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - least) / (largest - least).clamp_min(_SMALLEST_RANGE)


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Doubles the side of a feature map."""
    return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
