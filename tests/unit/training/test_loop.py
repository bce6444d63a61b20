"""The training loop: budgets, order and seeds, checkpoints, divergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pybench.images.geometry import Geometry
from pybench.training import loop
from pybench.training.batches import Batch, stack
from pybench.training.budget import Budget, TrainingParams
from pybench.training.loop import Training, TrainingError, train
from pybench.types import Context
from tests.conformance.checks import Pictures

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


def same(one: nn.Module, other: nn.Module) -> bool:
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in states)


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


def test_every_image_is_seen_once_an_epoch_and_batches_are_full() -> None:
    order = loop._Order(7, 3, seed=0, phase="phase")
    seen = [index for step in range(7) for index in order.indices(step)]
    assert len(seen) == 21
    epochs = [seen[start : start + 7] for start in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    other = loop._Order(7, 3, seed=1, phase="phase")
    assert [other.indices(step) for step in range(3)] != [order.indices(step) for step in range(3)]


def test_a_seed_decides_everything_and_leaves_evaluation_mode() -> None:
    one, log, _ = fit(Context(seed=1), budget=Budget(steps=6))
    torch.rand(5)
    assert same(one, fit(Context(seed=1), budget=Budget(steps=6))[0])
    assert not same(one, fit(Context(seed=2), budget=Budget(steps=6))[0])
    assert not one.training
    assert len(log.losses) == 6


@pytest.mark.parametrize("die_at", [1, 4, 5, 8])
def test_a_killed_fit_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, die_at: int) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    budget, halve = Budget(steps=9), (lambda progress: 1.0 if progress < 0.5 else 0.1)
    expected, log, _ = fit(Context(), budget=budget, schedule=halve)
    context = Context(checkpoints=tmp_path / "fit")
    with pytest.raises(KilledError):
        fit(context, budget=budget, schedule=halve, die_at=die_at)
    resumed, resumed_log, _ = fit(context, budget=budget, schedule=halve)
    assert same(resumed, expected)
    assert resumed_log.losses == log.losses
    again, _, _ = fit(context, budget=budget, schedule=halve, die_at=0)  # finished: it takes no further step
    assert same(again, expected)


def test_checkpoints_are_written_now_and_then_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(loop.atomic_files, "write", lambda path, content: written.append(path))
    fit(Context(checkpoints=tmp_path), budget=Budget(steps=4))
    assert written == [tmp_path / "phase.pt"]


def test_a_checkpoint_that_cannot_be_written_is_told_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "fit").write_text("a file where the folder should be")
    lines: list[str] = []
    _, log, _ = fit(Context(checkpoints=tmp_path / "fit", report=lines.append), budget=Budget(steps=2))
    assert log.steps == 2
    assert "fit" in log.provenance()["checkpoint_not_kept"]
    assert lines[-1].startswith("checkpoint not kept: ")


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    torch.save({"network": {}, "optimizer": {}, "scaler": {}, "log": {}}, tmp_path / "phase.pt")
    with pytest.raises(TrainingError, match=r"phase\.pt: cannot go on .* delete it"):
        fit(Context(checkpoints=tmp_path), budget=Budget(steps=1))


def test_the_schedule_scales_the_rate_of_every_step_and_leaves_the_optimizer_as_it_was() -> None:
    progresses: list[float] = []

    def schedule(progress: float) -> float:
        progresses.append(progress)
        return 0.0

    trained, _, optimizer = fit(Context(), budget=Budget(steps=4), schedule=schedule)
    assert progresses == [0, 0.25, 0.5, 0.75]
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), network().parameters(), strict=True))
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_loss_that_is_not_a_number_is_reported_at_once() -> None:
    def loss(trained: nn.Module, batch: Batch) -> Tensor:
        return trained(batch.images).sum() * float("nan")

    with pytest.raises(TrainingError, match="the loss is nan at step 1 of the phase 'phase'; a smaller learning rate"):
        fit(Context(), budget=Budget(steps=3), loss=loss)


def test_a_loss_that_explodes_is_reported_early() -> None:
    steps = iter(range(1_000))

    def loss(trained: nn.Module, batch: Batch) -> Tensor:
        return trained(batch.images).mean() * 0 + 1.3 ** next(steps)

    with pytest.raises(TrainingError, match=r"the loss rose from .* to .* at step"):
        fit(Context(), budget=Budget(steps=900), loss=loss)
    assert next(steps) < 60


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_REPORTS", 0.0)
    lines: list[str] = []
    fit(Context(report=lines.append), budget=Budget(steps=2))
    assert len(lines) == 2
    assert lines[1].startswith("phase 2/2 loss ")


def test_the_record_gets_at_most_twenty_stretches_of_the_loss() -> None:
    log = Training("phase", steps=50, seconds=1.234, losses=[float(i) for i in range(50)])
    said = log.provenance()
    assert said["steps"] == 50
    assert said["seconds"] == 1.23
    assert len(said["losses"]) == 20
    assert said["losses"][0] == 1.0  # mean of 0, 1, 2


def test_stack_brings_images_to_the_input_size() -> None:
    images = Pictures(torch.rand(3, 3, 40, 50, generator=torch.Generator().manual_seed(0)))
    stacked = stack(images, Geometry(48, 32))
    assert stacked.shape == (3, 3, 32, 32)
    assert stacked.dtype == torch.uint8
    exact = Geometry(48, 32).to_input(images.stack) * 255
    assert (stacked.float() - exact).abs().max() <= 0.51
