"""Weights that stand for those of pre-trained networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

VGG_SHAPES = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}  # of torchvision's ``features``


@pytest.fixture
def vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights that stand for VGG-16's, where torchvision looks for its own."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for number, (outputs, inputs) in VGG_SHAPES.items():
        state[f"features.{number}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * 0.1
        state[f"features.{number}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({**state, "classifier.0.bias": torch.zeros(1)}, folder / "vgg16-397923af.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return state
