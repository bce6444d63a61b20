"""The network of the backbone ``adapted``: it goes on from the filter bank's layers to features of the same strides.

It has no normalisation layers, whose statistics would couple the images of a batch: convolutions start with outputs of
variance one on normal images instead (Mishkin and Matas, All you need is a good init, ICLR 2016), which the bank's
whitened layers make easy. What it learns stands beside the bank's own channels, which pass through a linear map that
starts as the identity: before training, and where training teaches nothing, features are about those of the bank.
The network itself sees them on a scale that is logarithmic far from zero: what whitening makes of a defect can be tens
of standard deviations away, and with nothing that normalises it trainings diverged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

LAYERS = (1, 2, 3)
_WIDTHS = (32, 48, 64)
_LEARNED = (24, 32, 32)  # channels beside the bank's, per layer
_START = 0.3  # standard deviation of the learned channels before training; the bank's have one


class AdaptedNetwork(nn.Module):
    """Down through the layers, and up again with what the coarser ones saw (a feature pyramid).

    Args:
        channels: of each of the bank's layers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = tuple(channels + own for own in _LEARNED)  # of the features, per layer
        self.entries = nn.ModuleList(_conv(channels, width, 3) for width in _WIDTHS)
        self.downs = nn.ModuleList(_conv(fine, coarse, 3, stride=2) for fine, coarse in pairwise(_WIDTHS))
        self.blocks = nn.ModuleList(_Residual(width) for width in _WIDTHS)
        self.ups = nn.ModuleList(_conv(coarse, fine, 1) for fine, coarse in pairwise(_WIDTHS))
        self.laterals = nn.ModuleList(_conv(width, width, 1) for width in _WIDTHS[:-1])
        self.refined = nn.ModuleList(_Residual(width) for width in _WIDTHS)
        self.learned = nn.ModuleList(_conv(width, own, 1) for width, own in zip(_WIDTHS, _LEARNED, strict=True))
        self.kept = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in _WIDTHS)
        for kept in self.kept:
            assert isinstance(kept, nn.Conv2d)
            nn.init.eye_(kept.weight[:, :, 0, 0])
        self.means: Tensor
        self.register_buffer("means", torch.zeros(len(_WIDTHS), channels, 1, 1))

    def forward(self, bank: Sequence[Tensor]) -> list[Tensor]:
        """Features [B, C + 24 or 32, H_l, W_l] of the bank's layers 1, 2 and 3, [B, C, H_l, W_l] each."""
        bank = [layer - mean for layer, mean in zip(bank, self.means, strict=True)]
        layers: list[Tensor] = []
        for index, (given, entry, block) in enumerate(zip(bank, self.entries, self.blocks, strict=True)):
            entered = entry(given.asinh())
            if index:
                entered = entered + self.downs[index - 1](layers[-1])
            layers.append(block(entered.relu()))
        layers[-1] = self.refined[-1](layers[-1])
        for index in reversed(range(len(layers) - 1)):
            above = interpolate(self.ups[index](layers[index + 1]), size=layers[index].shape[-2:], mode="nearest")
            layers[index] = self.refined[index]((above + self.laterals[index](layers[index])).relu())
        parts = zip(bank, layers, self.kept, self.learned, strict=True)
        return [torch.cat([kept(given), learned(layer)], 1) for given, layer, kept, learned in parts]

    @torch.no_grad()
    def calibrate(self, bank: Sequence[Tensor]) -> None:
        """Take the means off the bank's layers and scale every convolution, so that its outputs have variance one on
        these layers of normal images."""
        self.means.copy_(torch.stack([layer.mean((0, 2, 3))[:, None, None] for layer in bank]))
        wanted = dict.fromkeys(self.learned, _START)

        def scale(conv: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
            assert isinstance(conv, nn.Conv2d)
            factor = wanted.get(conv, 1.0) / output.std().clamp(min=1e-6)
            conv.weight.mul_(factor)
            scaled: Tensor = output * factor
            return scaled

        convolutions = [part for part in self.modules() if isinstance(part, nn.Conv2d) and part not in set(self.kept)]
        handles = [conv.register_forward_hook(scale) for conv in convolutions]
        self(bank)
        for handle in handles:
            handle.remove()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width, 3), _conv(width, width, 3)

    def forward(self, layer: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        changed: Tensor = layer + 0.5 * self.second(self.first(layer).relu())
        return changed


def _conv(fan_in: int, fan_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(fan_in, fan_out, kernel, stride, kernel // 2)
    nn.init.orthogonal_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
