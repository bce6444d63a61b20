"""A backbone without weights: oriented energies, spots, brightness and colour at several scales, whitened.

The picture is split into brightness and two colour opponents, and smoothed and halved again and again. At every scale
brightness goes through six pairs of Gabor filters, whose energy does not depend on the phase, and all three channels
through a difference of Gaussians. Layer n (1 to 4, stride 2^(n+1) as in a ResNet) takes the means of what two scales
respond, those of strides 2^(n-1) and 2^n, and the channels themselves. Logarithms make it see ratios of contrasts, and
whitening (ZCA, fitted on the normal images) what is rare rather than what is large.

Settings were chosen on the stand-in and on normal images with synthetic anomalies: ``docs/results/backbones.md``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from pybench.backbones.base import Backbone
from pybench.backbones.whitening import Whitening
from pybench.images.geometry import Geometry
from pybench.types import Images

LAYERS = (1, 2, 3, 4)
_ORIENTATIONS = 6
_WAVELENGTH = 4.0  # pixels of the scale
_ENVELOPE = 1.8  # standard deviation of the Gabor filters, in pixels
_SPOT = (1.0, 2.0)  # standard deviations of the two Gaussians
_RADIUS = 3  # filters are 7 x 7
CHANNELS = 2 * (_ORIENTATIONS + 4) + 3  # of every layer: what two scales respond, and brightness and colours
_NOISE = 0.02  # added to a response before its logarithm, in brightness: less is noise
_BATCH = 8


class FilterBank(Backbone):
    """Fixed filters; only the whitening is fitted. Before that, features are as they are.

    Args:
        layers: of 1 to 4.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, layers: tuple[int, ...], *, device: str) -> None:
        self.layers, self.device = layers, device
        self._opponents = _opponents().to(device)
        self._filters = torch.cat([_gabor_pairs(), _spot()]).to(device)
        self._halving = _halving().to(device)
        self._whitening: Whitening | None = None

    def fit(self, train: Images, geometry: Geometry) -> None:
        """Fit the whitening to the images."""
        batches = (geometry.to_input(batch.to(self.device)) for batch in train.batches(_BATCH))
        self._whitening = Whitening.of(self._respond(batch) for batch in batches).to(self.device)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Tensor]:
        layers = self._respond(images.to(self.device))
        return layers if self._whitening is None else self._whitening(layers)

    def state_dict(self) -> dict[str, Any]:
        return {"whitening": None if self._whitening is None else self._whitening.matrices}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        matrices = state["whitening"]
        self._whitening = None if matrices is None else Whitening(matrices).to(self.device)

    def provenance(self) -> dict[str, Any]:
        return {}

    @torch.inference_mode()
    def _respond(self, images: Tensor) -> list[Tensor]:
        """What the filters respond to images [B, 3, S, S], per layer."""
        scale = conv2d(images, self._opponents)
        found: dict[int, list[Tensor]] = {layer: [] for layer in self.layers}
        for octave in range(max(self.layers) + 1):
            if octave:
                scale = conv2d(_framed(scale, 2), self._halving, stride=2, groups=3)
            takers = [layer for layer in self.layers if octave in (layer - 1, layer)]
            if takers:
                contrasts = self._contrasts(scale)
            for layer in takers:
                found[layer].append((_means(contrasts, 2 ** (layer + 1 - octave)) + _NOISE).log())
                if octave == layer:
                    found[layer].append(_means(scale, 2))
        return [torch.cat(found[layer], 1) for layer in self.layers]

    def _contrasts(self, scale: Tensor) -> Tensor:
        """Non-negative responses [B, 6 + 2 + 2, H, W]: energies, bright and dark spots, spots of either colour."""
        framed = _framed(scale, _RADIUS)
        of_brightness = conv2d(framed[:, :1], self._filters)
        even, odd, spots = of_brightness.split([_ORIENTATIONS, _ORIENTATIONS, 1], 1)
        energies = (even.square() + odd.square()).sqrt()
        of_colours = conv2d(framed[:, 1:], self._filters[-1:].expand(2, 1, -1, -1), groups=2)
        return torch.cat([energies, spots.relu(), (-spots).relu(), of_colours.abs()], 1)


def _means(values: Tensor, side: int) -> Tensor:
    """Means over squares; those at the border are smaller where the side does not divide the size."""
    return avg_pool2d(values, side, ceil_mode=True, count_include_pad=False)


def _framed(values: Tensor, width: int) -> Tensor:
    return pad(values, (width,) * 4, mode="replicate")


def _opponents() -> Tensor:
    """1x1 convolution [3, 3, 1, 1] to brightness, red against green, and both against blue."""
    return torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1 / 2, -1 / 2, 0], [1 / 4, 1 / 4, -1 / 2]])[:, :, None, None]


def _halving() -> Tensor:
    """The binomial filter of a pyramid, for each of three channels [3, 1, 5, 5]."""
    weights = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    return (weights[:, None] * weights).expand(3, 1, 5, 5).contiguous()


def _places() -> tuple[Tensor, Tensor]:
    along = torch.arange(-_RADIUS, _RADIUS + 1.0)
    down, right = torch.meshgrid(along, along, indexing="ij")
    return down, right


def _gabor_pairs() -> Tensor:
    """Even filters of each orientation, then the odd ones [2 K, 1, 7, 7]: of unit length, blind to even brightness."""
    down, right = _places()
    envelope = _gaussian(_ENVELOPE)
    angles = [math.pi * step / _ORIENTATIONS for step in range(_ORIENTATIONS)]
    phases = [2 * math.pi / _WAVELENGTH * (right * math.cos(angle) + down * math.sin(angle)) for angle in angles]
    waves = [phase.cos() for phase in phases] + [phase.sin() for phase in phases]
    return torch.stack([_unit(envelope * (wave - (envelope * wave).sum())) for wave in waves])[:, None]


def _spot() -> Tensor:
    """Difference of two Gaussians [1, 1, 7, 7] of unit length: positive on spots brighter than what is around them."""
    inner, outer = (_gaussian(deviation) for deviation in _SPOT)
    return _unit(inner - outer)[None, None]


def _gaussian(deviation: float) -> Tensor:
    """Sums to 1."""
    down, right = _places()
    values = torch.exp(-(down**2 + right**2) / (2 * deviation**2))
    return values / values.sum()


def _unit(values: Tensor) -> Tensor:
    return values / values.square().sum().sqrt()
