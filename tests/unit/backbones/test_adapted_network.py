"""The network of the backbone ``adapted``."""

from __future__ import annotations

import torch

from pybench.backbones.adapted_network import AdaptedNetwork
from pybench.backbones.filter_bank import CHANNELS


def test_it_is_small() -> None:
    assert sum(parameter.numel() for parameter in AdaptedNetwork(CHANNELS).parameters()) < 3_000_000


def test_calibration_makes_outputs_even_whatever_the_input() -> None:
    torch.manual_seed(0)
    network = AdaptedNetwork(CHANNELS)
    layers = [5 + 3 * torch.randn(4, CHANNELS, side, side) for side in (16, 8, 4)]
    network.calibrate(layers)
    outputs = network(layers)
    for layer, given in zip(outputs, layers, strict=True):
        torch.testing.assert_close(layer[:, :CHANNELS], given - given.mean((0, 2, 3), keepdim=True))
        assert 0.25 < float(layer[:, CHANNELS:].detach().std()) < 0.35
