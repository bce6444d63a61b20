"""The perceptual loss of NDP-Net."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from pybench.methods.networks.ndp_net_perceptual import PerceptualLoss
from pybench.types import InputError
from tests.unit.methods.conftest import VGG_SHAPES
from tests.unit.methods.ndp_net_parts import method


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_perceptual_loss_against_the_layers_one_by_one(vgg: dict[str, Tensor]) -> None:
    def outputs(images: Tensor) -> list[Tensor]:
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        hidden = (images - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        found = []
        for number in VGG_SHAPES:
            if number in (5, 10):  # after a block
                hidden = max_pool2d(hidden, 2)
            weight, bias = vgg[f"features.{number}.weight"], vgg[f"features.{number}.bias"]
            hidden = conv2d(hidden, weight, bias, padding=1).clamp(min=0)
            found.append(hidden)
        return found

    one, other = values(2, 3, 16, 16, seed=1), values(2, 3, 16, 16, seed=2)
    expected = np.mean([float((a - b).abs().mean()) for a, b in zip(outputs(one), outputs(other), strict=True)])
    loss = PerceptualLoss()
    assert float(loss(one, other)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(one, one)) == 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=r"vgg16-397923af\.pth.*params\.perceptual=none"):
        type(method()).prepare(method(perceptual="imagenet").params)
