"""How the minutes of an adaptation are spent best: one training step as it is made beside other ways to make it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from pybench.backbones.adaptation import Matching, _optimizer, _prepared
from pybench.backbones.adapted_network import LAYERS, AdaptedNetwork
from pybench.backbones.filter_bank import CHANNELS, FilterBank
from pybench.training.batches import Batch, Batches
from pybench.training.textures import Textures
from pybench.types import Context

SIZE = 128
BATCH = 6


class Contiguous(Matching):
    """The other order of an activation's values in memory."""

    def _bank_layers(self, images: Tensor) -> list[Tensor]:
        return [layer.contiguous() for layer in super()._bank_layers(images)]


def batches() -> Batches:
    images = (torch.rand(4 * BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255).byte()
    return Batches(images, BATCH, Context(), "bench", partial(_prepared, textures=Textures(None, SIZE)))


def stepping(cls: type[Matching] = Matching, *, bf16: bool = False) -> Callable[[Batch], None]:
    torch.manual_seed(0)
    bank = FilterBank(LAYERS, device="cpu")
    bank.load_state_dict({"whitening": [torch.eye(CHANNELS) for _ in LAYERS]})
    matching = cls(AdaptedNetwork(CHANNELS), bank)
    if cls is Matching:
        matching.network.to(memory_format=torch.channels_last)
    with batches() as made:
        matching.start(made.at(0, 0.0))
    optimizer = _optimizer(matching, 1e-4)

    def step(batch: Batch) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = torch.stack(list(matching.loss(batch).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("other", ["contiguous", "bfloat16"])
def test_format(compare: Callable[..., None], other: str, threads: int) -> None:
    with batches() as made:
        batch = made.at(0, 0.0)
    step = stepping()
    beside = stepping(Contiguous) if other == "contiguous" else stepping(bf16=True)
    compare(
        op="adaptation step",
        case=f"{BATCH} images of {SIZE} x {SIZE}, float32, channels last",
        ours=lambda: step(batch),
        baselines={other: lambda: beside(batch)},
        threads=threads,
    )


def test_preparation_ahead(compare: Callable[..., None]) -> None:
    step, steps = stepping(), 4

    def ahead() -> None:
        with batches() as made:
            for index in range(steps):
                step(made.at(index, 0.0))

    def in_turn() -> None:
        for index in range(steps):
            with batches() as made:
                batch = made._made(index)
            step(batch)

    compare(
        op="adaptation step",
        case=f"{steps} steps, the next batch prepared by a thread",
        ours=ahead,
        baselines={"in turn": in_turn},
        threads=1,
    )
