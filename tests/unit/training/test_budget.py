"""Budgets: which limit ends a training."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pybench.training import loop
from pybench.training.budget import Budget
from pybench.types import Context
from tests.unit.training.small_training import fit


def test_the_first_limit_ends_a_phase() -> None:
    assert Budget(epochs=2).limit(7, 3) == 5
    assert Budget(epochs=2, steps=4).limit(7, 3) == 4
    assert Budget(epochs=2, steps=9).limit(7, 3) == 5
    assert Budget(minutes=1).limit(7, 3) is None
    assert fit(Context(), budget=Budget(epochs=2, steps=100))[1].steps == 5
    assert Budget(steps=10, minutes=1).share(5, 45, 10) == 0.75
    assert Budget(steps=10, minutes=1).share(8, 45, 10) == 0.8


def test_a_budget_in_minutes_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(seconds)))
    log = fit(Context(), budget=Budget(minutes=0.5))[1]
    assert log.seconds >= 30
    assert log.steps == 30


@pytest.mark.parametrize("limits", [{}, {"steps": 0}, {"epochs": -1}, {"minute": 3}])
def test_a_budget_that_says_nothing_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Budget(**limits)
