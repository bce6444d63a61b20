"""A small pre-trained backbone for the tests."""

from __future__ import annotations

from typing import Any

import torch

from pybench.backbones.pretrained import Pretrained

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def backbone(seed: int = 0, before_relu: bool = False, **settings: Any) -> Pretrained:
    settings = {"name": "resnet18", "weights": "random", "layers": (1, 2, 3), **settings}
    return Pretrained(**settings, seed=seed, device="cpu", before_relu=before_relu)
