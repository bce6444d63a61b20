"""The search for a learning rate."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from pybench.training.learning_rate import RATES, find_rate


class Valley(nn.Module):
    """Gradient descent on a parabola of curvature c converges for rates below 2 / c, fastest at 1 / c."""

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.curvature = curvature
        self.place = nn.Parameter(torch.ones(5))

    def loss(self, step: int) -> Tensor:
        return self.curvature / 2 * self.place.square().sum()

    def descent(self, rate: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=rate)


@pytest.mark.parametrize(("best", "taken"), [(RATES[0], RATES[0]), *pairwise(reversed(RATES))])
def test_the_rate_is_the_one_below_the_best(best: float, taken: float) -> None:
    valley = Valley(1 / best)
    assert find_rate(valley, valley.loss, valley.descent) == taken


def test_the_network_is_as_it_was() -> None:
    valley = Valley(1000.0)
    find_rate(valley, valley.loss, valley.descent)
    assert torch.equal(valley.place, torch.ones(5))


def test_a_rate_that_diverges_is_not_taken_however_far_it_came() -> None:
    """Steps beyond the warm-up that are lost count for nothing."""
    valley = Valley(1.0)

    def loss(step: int) -> Tensor:
        total = valley.loss(step)
        far = float(valley.place.detach().mean()) < 0.98
        return total * (torch.inf if far and step > 20 else 1.0)

    assert find_rate(valley, valley.loss, valley.descent) == 1e-3
    assert find_rate(valley, loss, valley.descent) == 3e-4


def test_without_a_finite_loss_it_is_the_smallest() -> None:
    valley = Valley(1.0)
    assert find_rate(valley, lambda step: valley.place.sum() / 0, valley.descent) == min(RATES)
