"""The training loop of every method that runs gradient descent: budget, batches, checkpoints, and what went wrong.

Everything random about a step is seeded by (trial seed, phase, step), and the order of images by (trial seed, phase,
epoch). A step therefore depends on the weights before it only, and a fit that was killed goes on from its checkpoint to
the same weights as one that was not (with a budget in minutes, where the clock decides, to similar ones).
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from pybench.disk import atomic_files
from pybench.hashing import derive_seed
from pybench.images.geometry import Geometry
from pybench.types import Context, Images, InputError, MethodParams

SECONDS_BETWEEN_CHECKPOINTS = 30.0
_SECONDS_BETWEEN_REPORTS = 1.0
_WINDOW = 20  # steps over which losses are averaged before they are compared
_EXPLODED = 100  # times the loss at the start


class TrainingError(Exception):
    """A fit cannot go on; the message says in which phase and step, and what to change."""


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


@dataclass(frozen=True)
class Batch:
    """What a step learns from: ``images`` float32 [B, 3, S, S] in [0, 1], which of all they are (``indices`` [B]), and
    what was ``prepared`` from them, on the device. Whatever is random about the step comes from ``random`` or from
    torch's global generator. ``progress`` in [0, 1) is the used share of the budget.
    """

    images: Tensor
    random: np.random.Generator
    progress: float
    indices: tuple[int, ...] = ()
    prepared: tuple[Tensor, ...] = ()


@dataclass
class Training:
    """What a phase did. ``losses`` holds the total of every step, ``resumed_at`` the steps at which it went on from a
    checkpoint; ``seconds`` counts earlier attempts too. ``not_kept`` says why a checkpoint could not be written."""

    phase: str
    steps: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    not_kept: str = ""

    def provenance(self) -> dict[str, Any]:
        """For the record; the loss is averaged over at most 20 stretches of equal length."""
        stretches = np.array_split(np.array(self.losses), min(20, len(self.losses)))
        return {
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "resumed_at": self.resumed_at,
            **({"checkpoint_not_kept": self.not_kept} if self.not_kept else {}),
            "losses": [float(f"{stretch.mean():.4g}") for stretch in stretches],
        }


Prepare = Callable[[Batch], tuple[Tensor, ...]]


def constant(progress: float) -> float:
    """The schedule that leaves the learning rate as it is."""
    return 1.0


def nothing(batch: Batch) -> tuple[Tensor, ...]:
    """The preparation of a loss that needs nothing but images."""
    return ()


def stack(images: Images, geometry: Geometry) -> Tensor:
    """All images at the model's input size: uint8 [N, 3, S, S]."""
    resized = (geometry.to_input(batch) for batch in images.batches(1))
    return torch.cat([(image * 255).round_().clamp_(0, 255).to(torch.uint8) for image in resized])


def train(
    phase: str,
    network: nn.Module,
    loss: Callable[[Batch], Mapping[str, Tensor]],
    images: Tensor,
    *,
    optimizer: Optimizer,
    budget: Budget,
    params: TrainingParams,
    context: Context,
    schedule: Callable[[float], float] = constant,
    prepare: Prepare = nothing,
) -> Training:
    """Train a network, going on from its checkpoint where there is one; leaves it in evaluation mode.

    Args:
        phase: names the checkpoint; unique within a fit.
        network: what is trained, and nothing else: its state and the optimizer's make up the checkpoint.
        loss: the terms of the loss of a batch, already weighted; their sum is minimised.
        images: uint8 [N, 3, S, S]. Every batch is full: it goes on into the next epoch's order where one ends.
        schedule: factor on the optimizer's learning rates, given the used share of the budget in [0, 1).
        prepare: makes what the loss needs of a batch beside the images, such as artificial defects; on the CPU and with
            the batch's own generator. It runs in a thread of its own, one step ahead of the network.

    Raises:
        TrainingError: the loss is not finite or has exploded, or the checkpoint is of another network.
    """
    rates = [group["lr"] for group in optimizer.param_groups]  # before a checkpoint brings in scheduled ones
    run = _Run(phase, network, optimizer, params, context)
    run.restore()
    limit = budget.limit(len(images), params.batch_size)
    network.train()
    with Batches(images, params.batch_size, context, phase, prepare) as batches:
        while (progress := budget.share(run.log.steps, run.log.seconds, limit)) < 1:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * schedule(progress)
            batch = batches.at(run.log.steps, progress)
            torch.manual_seed(batches.seed(run.log.steps))
            run.step(loss, batch)
            run.keep_up(limit)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    network.eval()
    run.save()
    return run.log


class Batches:
    """The batch of every step of a phase; while the network learns from one, a thread prepares the next."""

    def __init__(self, images: Tensor, batch_size: int, context: Context, phase: str, prepare: Prepare) -> None:
        self.images, self.context, self.phase, self.prepare = images, context, phase, prepare
        self._order = _Order(len(images), batch_size, context.seed, phase)
        self._thread = ThreadPoolExecutor(1)
        self._ahead: dict[int, Future[Batch]] = {}  # of the step after the last that was asked for

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def seed(self, step: int) -> int:
        """Of everything random about a step."""
        return derive_seed(self.context.seed, self.phase, step)

    def at(self, step: int, progress: float) -> Batch:
        """The batch of a step, on the device."""
        made = self._ahead.pop(step, None) or self._submit(step)
        self._ahead[step + 1] = self._submit(step + 1)
        batch, device = made.result(), self.context.device
        prepared = tuple(part.to(device) for part in batch.prepared)
        return replace(batch, images=batch.images.to(device), prepared=prepared, progress=progress)

    def _submit(self, step: int) -> Future[Batch]:
        return self._thread.submit(copy_context().run, self._made, step)  # the context notes which ops ran

    def _made(self, step: int) -> Batch:
        indices = self._order.indices(step)
        batch = Batch(
            self.images[indices].float() / 255, np.random.default_rng(self.seed(step)), 0.0, indices=tuple(indices)
        )
        return replace(batch, prepared=self.prepare(batch))


class _Order:
    """Which images a step takes: one seeded permutation after another, cut into full batches."""

    def __init__(self, images: int, batch_size: int, seed: int, phase: str) -> None:
        self.images, self.batch_size, self.seed, self.phase = images, batch_size, seed, phase
        self._epoch, self._permutation = -1, np.empty(0, np.intp)

    def indices(self, step: int) -> list[int]:
        first = step * self.batch_size
        return [self._at(position) for position in range(first, first + self.batch_size)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self.images)
        if epoch != self._epoch:
            generator = np.random.default_rng(derive_seed(self.seed, self.phase, "epoch", epoch))
            self._epoch, self._permutation = epoch, generator.permutation(self.images)
        return int(self._permutation[place])


class _Run:
    """A phase under way: takes steps, and keeps the log, the checkpoint and the user informed."""

    def __init__(
        self, phase: str, network: nn.Module, optimizer: Optimizer, params: TrainingParams, context: Context
    ) -> None:
        self.network, self.optimizer, self.context = network, optimizer, context
        self.log = Training(phase)
        self._is_mixed = params.mixed_precision and context.device == "cuda"
        self._dtype = torch.bfloat16 if not self._is_mixed or torch.cuda.is_bf16_supported() else torch.float16
        # Float16 alone has too little range for gradients; elsewhere the scaler does nothing.
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._dtype is torch.float16)
        self._started = self._saved = self._reported = time.monotonic()

    def step(self, loss: Callable[[Batch], Mapping[str, Tensor]], batch: Batch) -> None:
        """One update of the weights."""
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            total = torch.stack([term.float() for term in loss(batch).values()]).sum()
        self._scaler.scale(total).backward()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.log.losses.append(total.item())
        self.log.steps += 1
        self._check_loss()

    def keep_up(self, limit: int | None) -> None:
        """The clock, the report and the checkpoint, after a step."""
        now = time.monotonic()
        self.log.seconds += now - self._started
        self._started = now
        if now - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self._reported = now
            steps = f"{self.log.steps}" if limit is None else f"{self.log.steps}/{limit}"
            self.context.report(f"{self.log.phase} {steps} loss {np.mean(self.log.losses[-_WINDOW:]):.3g}")
        if now - self._saved >= SECONDS_BETWEEN_CHECKPOINTS:
            self._saved = now
            self.save()

    def save(self) -> None:
        """Keep the checkpoint, where the context has a place for it. A full disk must not end a fit of many hours."""
        if self._file is None:
            return
        state = {"log": vars(self.log), **{name: part.state_dict() for name, part in self._parts().items()}}
        buffer = io.BytesIO()
        torch.save(state, buffer)
        try:
            atomic_files.write(self._file, buffer.getvalue())
        except InputError as error:
            self.log.not_kept = str(error)
            self.context.report(f"checkpoint not kept: {self.log.not_kept}")

    def restore(self) -> None:
        """Go on from the checkpoint, where there is one."""
        if self._file is None or not self._file.is_file():
            return
        try:
            state = torch.load(self._file, map_location=self.context.device, weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.log = Training(**state["log"])
            self.log.resumed_at.append(self.log.steps)
        except Exception as error:
            what = str(error).partition("\n")[0]
            raise TrainingError(f"{self._file}: cannot go on from this checkpoint ({what}); delete it") from error

    @property
    def _file(self) -> Path | None:
        folder = self.context.checkpoints
        return None if folder is None else folder / f"{self.log.phase}.pt"

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self.optimizer, "scaler": self._scaler}

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.context.device, self._dtype, enabled=self._is_mixed)

    def _check_loss(self) -> None:
        losses, step = self.log.losses, self.log.steps
        advice = f"at step {step} of the phase '{self.log.phase}'; a smaller learning rate may help"
        if not math.isfinite(losses[-1]) and not self._scaler.is_enabled():
            raise TrainingError(f"training diverged: the loss is {losses[-1]} {advice}")
        if step >= 2 * _WINDOW:
            first, last = np.mean(np.abs(losses[:_WINDOW])), np.mean(np.abs(losses[-_WINDOW:]))
            if not last <= _EXPLODED * first:
                raise TrainingError(f"training diverged: the loss rose from {first:.3g} to {last:.3g} {advice}")
