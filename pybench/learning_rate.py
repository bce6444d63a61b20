"""A learning rate found by trying: the range test of Smith (Cyclical Learning Rates for Training Neural Networks, WACV
2017, Sec. 3.3)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_LOWEST, _HIGHEST = 1e-5, 1.0
_WORSE = 2.0  # times the best loss, at which the test ends
_BELOW_BEST = 10.0  # the rate of the lowest loss is already too large for long: it is divided by this


@dataclass(frozen=True)
class RateTest:
    """``rate`` is what was found; ``rates`` and ``losses`` are what was tried."""

    rate: float
    rates: list[float]
    losses: list[float]


def find_rate(
    network: nn.Module, loss: Callable[[], Tensor], optimizer: Callable[[float], Optimizer], *, steps: int = 60
) -> RateTest:
    """Train with a rate that grows exponentially from 1e-5 to 1 until the loss rises; leaves the network as it was.

    Args:
        network: everything that the loss changes.
        loss: always of the same batch and the same random choices, so that it changes by what was learned alone.
        optimizer: makes a new one, given its learning rate.
        steps: of the whole range.
    """
    before = copy.deepcopy(network.state_dict())
    trained = optimizer(_LOWEST)
    rates: list[float] = []
    losses: list[float] = []
    for step in range(steps):
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / max(1, steps - 1))
        for group in trained.param_groups:
            group["lr"] = rate
        trained.zero_grad(set_to_none=True)
        value = loss()
        reached = value.item()
        if not math.isfinite(reached) or (losses and reached > _WORSE * min(losses)):
            break
        rates.append(rate)
        losses.append(reached)
        torch.autograd.backward(value)
        trained.step()
    network.load_state_dict(before)
    best = min(range(len(losses)), key=losses.__getitem__, default=0)
    return RateTest(max(_LOWEST, rates[best] / _BELOW_BEST) if rates else _LOWEST, rates, losses)
