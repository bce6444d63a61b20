"""Status and reason of a trial that an error ended."""

from __future__ import annotations

import pytest
import torch

from pybench.training.loop import TrainingError
from pybench.trial.contract import MethodError
from pybench.trial.failures import status_and_reason
from pybench.types import InputError


@pytest.mark.parametrize("kind", [InputError, MethodError, TrainingError])
def test_the_errors_of_pybench_explain_themselves(kind: type[Exception]) -> None:
    assert status_and_reason(kind("no such file")) == ("failed", "no such file")


def test_the_reason_of_another_error_begins_with_its_type() -> None:
    assert status_and_reason(ValueError("the lamp is broken")) == ("failed", "ValueError: the lamp is broken")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_out_of_memory_is_a_status_of_its_own(error: Exception) -> None:
    assert status_and_reason(error)[0] == "out_of_memory"
