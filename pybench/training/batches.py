"""The batches of a training: in which order images are taken, and what is prepared of them ahead of the network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from pybench.hashing import derive_seed
from pybench.images.geometry import Geometry
from pybench.types import Context, Images


@dataclass(frozen=True)
class Batch:
    """The images of one step of training, on the device.

    ``images`` are float32 [B, 3, S, S] in [0, 1], ``indices`` [B] their places among all training images, ``prepared``
    the tensors that were made from them ahead of the step. Everything random about the step comes from ``random`` or
    from torch's global generator. ``progress`` in [0, 1) is the used share of the budget.
    """

    images: Tensor
    random: np.random.Generator
    progress: float
    indices: tuple[int, ...] = ()
    prepared: tuple[Tensor, ...] = ()


Prepare = Callable[[Batch], tuple[Tensor, ...]]


def prepare_nothing(batch: Batch) -> tuple[Tensor, ...]:
    """The preparation of a loss that needs nothing but images."""
    return ()


def stack(images: Images, geometry: Geometry) -> Tensor:
    """All images at the model's input size: uint8 [N, 3, S, S]."""
    resized = (geometry.to_input(batch) for batch in images.batches(1))
    return torch.cat([(image * 255).round_().clamp_(0, 255).to(torch.uint8) for image in resized])


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
        images = batch.images.to(device).contiguous(memory_format=torch.channels_last)  # as the network is
        return replace(batch, images=images, prepared=prepared, progress=progress)

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
