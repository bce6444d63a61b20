"""The filter bank: its responses against scipy's filters, its whitening, and where it is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from pybench.backbones.filter_bank import FilterBank
from pybench.images.geometry import Geometry
from pybench.images.loading import DecodedImages
from pybench.types import MethodParams, Sample

SIZE = 64


def bank(*layers: int) -> FilterBank:
    return FilterBank(layers or (1, 2, 3, 4), device="cpu")


def grating(degrees: float, phase: float = 0.0, period: float = 4.0) -> Tensor:
    """A grey grating [1, 3, S, S] whose brightness changes along a direction, counted from the right downwards."""
    down, right = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    angle = np.radians(degrees)
    along = right * np.cos(angle) + down * np.sin(angle)
    return (0.5 + 0.2 * torch.sin(2 * np.pi * along / period + phase)).expand(1, 3, SIZE, SIZE).clone()


@pytest.mark.parametrize("size", [64, 100, 33])
def test_layers_have_the_strides_of_a_resnet(size: int) -> None:
    layers = bank()(torch.rand(2, 3, size, size))
    assert [layer.shape for layer in layers] == [(2, 23, *[-(-size // stride)] * 2) for stride in (4, 8, 16, 32)]


def test_a_layer_alone_is_the_same_as_beside_others() -> None:
    images = torch.rand(1, 3, SIZE, SIZE)
    for layer, together in zip((1, 2, 3, 4), bank()(images), strict=True):
        torch.testing.assert_close(bank(layer)(images)[0], together)


def test_responses_against_scipy() -> None:
    """Layer 1 anew: filters written down by their formulas, correlated by scipy, at strides 1 and 2."""
    image = np.random.default_rng(0).random((3, SIZE, SIZE))
    red, green, blue = image
    channels = [(red + green + blue) / 3, (red - green) / 2, (red + green) / 4 - blue / 2]
    halved = [ndimage.correlate(channel, _binomial(), mode="nearest")[::2, ::2] for channel in channels]
    expected = [*_contrasts(channels, side=4), *_contrasts(halved, side=2), *[_means(each, 2) for each in halved]]
    found = bank(1)(torch.tensor(image, dtype=torch.float32)[None])[0][0]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), rtol=1e-4, atol=1e-4)


def _contrasts(channels: list[NDArray[Any]], side: int) -> list[NDArray[Any]]:
    down, right = np.mgrid[-3:4, -3:4].astype(float)

    def gaussian(deviation: float) -> NDArray[Any]:
        values = np.exp(-(down**2 + right**2) / 2 / deviation**2)
        return values / values.sum()

    def response(channel: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        return ndimage.correlate(channel, weights / np.linalg.norm(weights), mode="nearest")

    grey, *colours = channels
    energies = []
    for angle in np.arange(6) * np.pi / 6:
        waves = [turn(np.pi / 2 * (right * np.cos(angle) + down * np.sin(angle))) for turn in (np.cos, np.sin)]
        balanced = [gaussian(1.8) * (wave - (gaussian(1.8) * wave).sum()) for wave in waves]
        energies.append(np.hypot(*[response(grey, weights) for weights in balanced]))
    spot = gaussian(1.0) - gaussian(2.0)
    spots = response(grey, spot)
    found = [*energies, spots.clip(0), (-spots).clip(0), *[abs(response(colour, spot)) for colour in colours]]
    return [np.log(_means(values, side) + 0.02) for values in found]


def _binomial() -> NDArray[Any]:
    return np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def _means(values: NDArray[Any], side: int) -> NDArray[Any]:
    height, width = values.shape
    means: NDArray[Any] = values.reshape(height // side, side, width // side, side).mean((1, 3))
    return means


@pytest.mark.parametrize("step", range(6))
def test_a_grating_excites_the_filter_of_its_direction_whatever_its_phase(step: int) -> None:
    inside = np.s_[0, :6, 4:-4, 4:-4]  # the first six channels are energies at the finest scale
    responses = [bank(1)(grating(30 * step, phase))[0][inside] for phase in (0.0, 0.7, 2.1)]
    assert {int(response.mean((1, 2)).argmax()) for response in responses} == {step}
    for response in responses[1:]:
        assert (response[step] - responses[0][step]).abs().max() < 0.1


def test_brightness_is_in_its_own_channels_only() -> None:
    dark, bright = (bank(1)(torch.full((1, 3, SIZE, SIZE), value))[0][0] for value in (0.2, 0.8))
    changed = (bright - dark).abs().amax((1, 2)) > 1e-3
    assert changed.nonzero().flatten().tolist() == [20], "of 10 + 10 contrasts and three channels, brightness"
    torch.testing.assert_close(dark[20], torch.full((16, 16), 0.2))


class Pictures(DecodedImages):
    """Images in memory."""

    def __init__(self, stack: Tensor) -> None:
        super().__init__([Sample(Path(f"{number}.png")) for number in range(len(stack))])
        self.stack = stack

    def batches(self, size: int) -> Any:
        yield from self.stack.split(size)


def _whitened(images: Tensor) -> tuple[Tensor, FilterBank]:
    """Feature vectors [N, C] of layer 2 of the images on which the whitening was fitted."""
    fitted = bank(2)
    fitted.fit(Pictures(images), Geometry.of(MethodParams(image_size=SIZE)))
    return fitted(images)[0].movedim(1, -1).flatten(0, 2).double(), fitted


def test_whitened_features_are_uncorrelated_and_rare_directions_count_as_much() -> None:
    images = torch.rand(12, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    images *= torch.rand(12, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    covariance = torch.cov(_whitened(images)[0].T)
    before = torch.cov(bank(2)(images)[0].movedim(1, -1).flatten(0, 2).double().T)
    spread = [torch.linalg.eigvalsh(matrix) for matrix in (before, covariance)]
    assert spread[0][-1] / spread[0].mean() > 5
    assert spread[1].max() <= 1.001, "the shrinkage leaves every variance below 1"
    # lambda / (lambda + 0.1 mean): the definition, in the axes of the features before.
    expected = spread[0] / (spread[0] + 0.1 * spread[0].mean())
    torch.testing.assert_close(spread[1].sort().values, expected.sort().values, rtol=1e-2, atol=1e-3)


def test_the_whitening_is_what_the_state_holds() -> None:
    images = torch.rand(3, 3, SIZE, SIZE)
    _, fitted = _whitened(images)
    other = bank(2)
    assert not torch.allclose(other(images)[0], fitted(images)[0])
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other(images)[0], fitted(images)[0])
    other.load_state_dict(bank(2).state_dict())
    assert torch.equal(other(images)[0], bank(2)(images)[0])


def test_images_without_contrast_can_be_whitened() -> None:
    assert torch.isfinite(_whitened(torch.full((2, 3, SIZE, SIZE), 0.5))[0]).all()
