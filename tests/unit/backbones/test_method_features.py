"""How a method on a backbone resizes images."""

from __future__ import annotations

from typing import Any

import torch

from pybench import registry
from pybench.backbones.method import BackboneMethod
from pybench.backbones.names import LITE0
from pybench.types import Context


def method(**params: Any) -> BackboneMethod:
    cls: Any = registry.load("method", "padim")
    settings = {"backbone": "resnet18", "weights": "random", "image_size": 64, "crop_size": None}
    return cls(cls.Params(**{**settings, **params}), Context())  # type: ignore[no-any-return]


def test_the_interpolation_of_training_is_the_networks_own() -> None:
    assert method().geometry.interpolation == "bilinear"
    assert method(interpolation="trained").geometry.interpolation == "bilinear"  # torchvision's ResNets
    lite0 = {"backbone": LITE0, "interpolation": "trained"}
    assert method(**lite0).geometry.interpolation == "bicubic"
    images = torch.rand(1, 3, 100, 100, generator=torch.Generator().manual_seed(0))
    bilinear, bicubic = (method(interpolation=mode).geometry.to_input(images) for mode in ("bilinear", "bicubic"))
    assert not torch.allclose(bilinear, bicubic)
