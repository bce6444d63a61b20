"""A small training for the tests of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pybench.training import loop
from pybench.training.batches import Batch
from pybench.training.budget import Budget, TrainingParams
from pybench.training.loop import Training, train
from pybench.types import Context

IMAGES = torch.randint(0, 256, (7, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
PARAMS = TrainingParams(image_size=32, batch_size=3)


class KilledError(Exception):
    """Stands for the end of the process."""


def network() -> nn.Module:
    """With a norm's running statistics and dropout, which a checkpoint that forgets something gets wrong."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 3, 3, padding=2))


def fit(
    context: Context,
    *,
    budget: Budget,
    die_at: int | None = None,
    schedule: Callable[[float], float] = loop.constant,
    loss: Callable[[nn.Module, Batch], Tensor] | None = None,
) -> tuple[nn.Module, Training, torch.optim.Optimizer]:
    trained = network()
    optimizer = torch.optim.Adam(trained.parameters(), lr=0.01)
    steps = 0

    def terms(batch: Batch) -> Mapping[str, Tensor]:
        nonlocal steps
        if steps == die_at:
            raise KilledError
        steps += 1
        if loss is not None:
            return {"given": loss(trained, batch)}
        noise = torch.from_numpy(batch.random.normal(size=batch.images.shape).astype(np.float32))
        squared = (trained(batch.images + 0.1 * noise) - batch.images).square()
        return {"mean": squared.mean(), "largest": 0.1 * squared.max()}

    log = train(
        "phase",
        trained,
        terms,
        IMAGES,
        optimizer=optimizer,
        budget=budget,
        params=PARAMS,
        context=context,
        schedule=schedule,
    )
    return trained, log, optimizer
