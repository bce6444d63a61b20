"""How long training lasts, and the other parameters of every method that trains."""

from __future__ import annotations

import math
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pybench.types import MethodParams


class Budget(BaseModel):
    """How long a phase of training lasts: the first limit that is reached ends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float | None = Field(None, gt=0, le=100_000, description="passes over the training images")
    steps: int | None = Field(None, ge=1, le=10_000_000, description="updates of the weights")
    minutes: float | None = Field(None, gt=0, le=100_000, description="wall-clock time, earlier attempts included")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.epochs is None and self.steps is None and self.minutes is None:
            raise ValueError("a budget needs epochs, steps or minutes")
        return self

    def limit(self, images: int, batch_size: int) -> int | None:
        """The number of steps; None where the clock alone decides."""
        by_epochs = None if self.epochs is None else math.ceil(self.epochs * images / batch_size)
        limits = [limit for limit in (by_epochs, self.steps) if limit is not None]
        return max(1, min(limits)) if limits else None

    def share(self, step: int, seconds: float, limit: int | None) -> float:
        """What part of the budget is used; 1 or more ends the phase."""
        by_steps = 0.0 if limit is None else step / limit
        return by_steps if self.minutes is None else max(by_steps, seconds / (60 * self.minutes))


class TrainingParams(MethodParams):
    """Parameters of every method that trains."""

    batch_size: int = Field(8, ge=1, le=4096, description="images a step")
    mixed_precision: bool = Field(
        True, description="on GPUs, train in bfloat16 (float16 where there is none) where that is safe"
    )
