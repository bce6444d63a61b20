"""The range test of learning rates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pybench.learning_rate import find_rate


class Valley(nn.Module):
    """Gradient descent on a parabola of curvature c converges for rates below 2 / c, fastest at 1 / c."""

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.curvature = curvature
        self.place = nn.Parameter(torch.ones(5))

    def loss(self) -> Tensor:
        return self.curvature / 2 * self.place.square().sum()


def descent(valley: nn.Module) -> object:
    return lambda rate: torch.optim.SGD(valley.parameters(), lr=rate)


def test_the_rate_fits_the_curvature() -> None:
    for curvature in (10.0, 100.0, 1000.0):
        valley = Valley(curvature)
        found = find_rate(valley, valley.loss, descent(valley), steps=200)  # type: ignore[arg-type]
        assert 0.1 / curvature < found.rate < 2 / curvature


def test_the_network_is_as_it_was_and_the_range_ends_where_it_diverges() -> None:
    valley = Valley(1000.0)
    found = find_rate(valley, valley.loss, descent(valley), steps=100)  # type: ignore[arg-type]
    assert torch.equal(valley.place, torch.ones(5))
    assert len(found.rates) == len(found.losses) < 100
    assert found.rates[0] == 1e-5
    assert found.rates == sorted(found.rates)


def test_a_loss_that_is_not_finite_ends_it() -> None:
    valley = Valley(1.0)
    found = find_rate(valley, lambda: valley.place.sum() / 0, descent(valley))  # type: ignore[arg-type]
    assert (found.rate, found.rates) == (1e-5, [])
