"""A learning rate found by trying: a short training with each of a few, from the same start and on the same batches.

A range test on one batch (Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, Sec. 3.3) is cheaper,
but it sees neither other batches nor what a rate does to a loss that refers to earlier steps: the rates that it found
for the backbone ``adapted`` lay two orders of magnitude apart between seeds of the same images
(docs/results/backbones.md).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # about what is usual for Adam
_STEPS = 24  # of every rate
_WARM_UP = 0.5  # share of the steps in which the rate grows to what is tried
_WORSE = 2.0  # times the first loss: the rest of the steps are not worth their time


def find_rate(network: nn.Module, loss: Callable[[int], Tensor], optimizer: Callable[[float], Optimizer]) -> float:
    """The rate below the one that has the lowest mean loss after its warm-up; the smallest where none is finite.

    The one below, because what is best for a few steps is too large for many.

    Args:
        network: everything that the loss changes; is left as it was.
        loss: of a step from 0 on; the same batch and the same random choices whenever asked for the same step.
        optimizer: makes a new one, given its learning rate.
    """
    before = copy.deepcopy(network.state_dict())
    reached = {}
    for rate in RATES:
        reached[rate] = _reached(loss, optimizer(rate), rate)
        network.load_state_dict(before)
    best = min(RATES, key=reached.__getitem__)
    return RATES[max(0, RATES.index(best) - 1)]


def _reached(loss: Callable[[int], Tensor], optimizer: Optimizer, rate: float) -> float:
    """Mean loss over the steps after the warm-up; infinite where it diverges."""
    losses: list[float] = []
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / (_WARM_UP * _STEPS))
        optimizer.zero_grad(set_to_none=True)
        value = loss(step)
        losses.append(value.item())
        if not losses[-1] <= _WORSE * abs(losses[0]):
            return math.inf
        torch.autograd.backward(value)
        optimizer.step()
    measured = losses[math.ceil(_WARM_UP * _STEPS) :]
    return sum(measured) / len(measured)
