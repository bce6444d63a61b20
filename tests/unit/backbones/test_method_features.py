"""What a method does with feature maps before it uses them: whitening, and the resize of images."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pybench import registry
from pybench.backbones.method import BackboneMethod
from pybench.backbones.names import LITE0
from pybench.types import Context
from tests.conformance.checks import plant

TRAIN = plant().train


def method(**params: Any) -> BackboneMethod:
    cls: Any = registry.load("method", "padim")
    settings = {"backbone": "resnet18", "weights": "random", "image_size": 64, "crop_size": None, "layers": (2, 3)}
    return cls(cls.Params(**{**settings, **params}), Context())  # type: ignore[no-any-return]


def vectors(fitted: BackboneMethod, layer: int) -> torch.Tensor:
    maps = torch.cat([fitted.features(batch)[layer] for batch in TRAIN.batches(4)])
    return maps.movedim(1, -1).flatten(0, 2)


@pytest.mark.parametrize("layer", [0, 1])
def test_whitened_channels_are_less_correlated_and_keep_their_mean(layer: int) -> None:
    plain, whitened = method(), method(whitening=True)
    for each in (plain, whitened):
        each.fit(TRAIN)
    before, after = vectors(plain, layer), vectors(whitened, layer)
    spread = [torch.linalg.eigvalsh(torch.cov(values.T)) for values in (before, after)]
    assert (spread[0][-1] / spread[0].mean()) > 5 * (spread[1][-1] / spread[1].mean())
    assert after.mean(0).norm() > 0.1  # not centred


def test_whitening_is_part_of_the_fitted_state() -> None:
    fitted, restored = method(whitening=True), method(whitening=True)
    fitted.fit(TRAIN)
    restored.load_state_dict(fitted.state_dict())
    images = next(iter(TRAIN.batches(2)))
    for first, second in zip(fitted.features(images), restored.features(images), strict=True):
        torch.testing.assert_close(first, second)


def test_the_interpolation_of_training_is_the_networks_own() -> None:
    assert method().geometry.interpolation == "bilinear"
    assert method(interpolation="trained").geometry.interpolation == "bilinear"  # torchvision's ResNets
    lite0 = {"backbone": LITE0, "interpolation": "trained"}
    assert method(**lite0).geometry.interpolation == "bicubic"
    images = torch.rand(1, 3, 100, 100, generator=torch.Generator().manual_seed(0))
    bilinear, bicubic = (method(interpolation=mode).geometry.to_input(images) for mode in ("bilinear", "bicubic"))
    assert not torch.allclose(bilinear, bicubic)
