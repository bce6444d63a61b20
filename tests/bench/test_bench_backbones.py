"""Our backbones beside ResNet-18 with the same layers, on one image of 256 x 256 pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pybench.backbones.adapted import Adapted
from pybench.backbones.adapted_network import LAYERS, AdaptedNetwork
from pybench.backbones.base import Backbone
from pybench.backbones.filter_bank import CHANNELS, FilterBank
from pybench.backbones.pretrained import Pretrained
from pybench.training.budget import Budget
from pybench.types import Context


def filter_bank(layers: tuple[int, ...]) -> FilterBank:
    bank = FilterBank(layers, device="cpu")
    bank.load_state_dict({"whitening": [torch.eye(CHANNELS) for _ in layers]})
    return bank


def adapted(layers: tuple[int, ...]) -> Adapted:
    backbone = Adapted(layers, budget=Budget(steps=1), context=Context())
    network, bank = AdaptedNetwork(CHANNELS), filter_bank(LAYERS)
    backbone.load_state_dict({"network": network.state_dict(), "bank": bank.state_dict(), "made": {}})
    return backbone


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("layers", [(2, 3), (1, 2, 3)])
@pytest.mark.parametrize("backbone", [filter_bank, adapted])
def test_one_image(
    compare: Callable[..., None],
    backbone: Callable[[tuple[int, ...]], Backbone],
    layers: tuple[int, ...],
    threads: int,
) -> None:
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    ours = backbone(layers)
    network = Pretrained("resnet18", "random", layers, seed=0, device="cpu")
    compare(
        op=backbone.__name__,
        case=f"256 x 256, layers {', '.join(map(str, layers))}",
        ours=lambda: ours(image),
        baselines={"ResNet-18": lambda: network(image)},
        threads=threads,
    )
