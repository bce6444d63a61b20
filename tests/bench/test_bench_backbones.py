"""The filter bank beside ResNet-18 with the same layers, on one image of 256 x 256 pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pybench.backbones.filter_bank import FilterBank
from pybench.backbones.pretrained import Pretrained


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("layers", [(2, 3), (1, 2, 3)])
def test_one_image(compare: Callable[..., None], layers: tuple[int, ...], threads: int) -> None:
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    bank = FilterBank(layers, device="cpu")
    bank.load_state_dict({"whitening": [torch.eye(layer.shape[1]) for layer in bank(image)]})
    network = Pretrained("resnet18", "random", layers, seed=0, device="cpu")
    compare(
        op="filter_bank",
        case=f"256 x 256, layers {', '.join(map(str, layers))}",
        ours=lambda: bank(image),
        baselines={"ResNet-18": lambda: network(image)},
        threads=threads,
    )
