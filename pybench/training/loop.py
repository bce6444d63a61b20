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
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pybench.disk import atomic_files
from pybench.training.batches import Batch, Batches, Prepare, prepare_nothing
from pybench.training.budget import Budget, TrainingParams
from pybench.types import Context, InputError

SECONDS_BETWEEN_CHECKPOINTS = 30.0
_SECONDS_BETWEEN_REPORTS = 1.0
_WINDOW = 20  # steps over which losses are averaged before they are compared
_EXPLODED = 100  # times the loss at the start


class TrainingError(Exception):
    """A fit cannot go on; the message says in which phase and step, and what to change."""


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


def constant(progress: float) -> float:
    """The schedule that leaves the learning rate as it is."""
    return 1.0


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
    prepare: Prepare = prepare_nothing,
) -> Training:
    """Train a network, going on from its checkpoint where there is one; leaves it in evaluation mode.

    Args:
        phase: names the checkpoint; unique within a fit.
        network: what is trained, and nothing else: its state and the optimizer's make up the checkpoint.
        loss: the terms of the loss of a batch, already weighted; their sum is minimised.
        images: uint8 [N, 3, S, S]. Every batch is full: it goes on into the next epoch's order where one ends.
        schedule: factor on the optimizer's learning rates, given the used share of the budget in [0, 1).
        prepare: makes what the loss needs of a batch beside the images, such as synthetic anomalies; on the CPU and
            with the batch's own generator. It runs in a thread of its own, one step ahead of the network.

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
        except Exception as error:  # what a damaged file, or the state of another network, raises has no common base
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
