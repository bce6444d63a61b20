"""How an error that ends a trial is recorded: as a status and a reason."""

from __future__ import annotations

import torch

from pybench.records import Status
from pybench.training.loop import TrainingError
from pybench.trial.contract import MethodError
from pybench.types import InputError


def status_and_reason(error: Exception) -> tuple[Status, str]:
    """The status of a trial that was ended by this error, and the reason in words.

    Errors that pybench raises itself explain themselves; the reason of any other error begins with its type.
    """
    is_expected = isinstance(error, InputError | MethodError | TrainingError)
    reason = str(error) if is_expected else f"{type(error).__name__}: {error}"
    return "out_of_memory" if _is_out_of_memory(error) else "failed", reason


def _is_out_of_memory(error: Exception) -> bool:
    """Torch has its own error for a GPU's memory, but raises a plain RuntimeError for the machine's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
