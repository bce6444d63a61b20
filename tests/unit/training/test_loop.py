"""The training loop: budgets, order and seeds, checkpoints, divergence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pybench.training import loop
from pybench.training.batches import Batch
from pybench.training.budget import Budget
from pybench.training.loop import Training, TrainingError
from pybench.types import Context
from tests.unit.training.small_training import KilledError, fit, network


def same(one: nn.Module, other: nn.Module) -> bool:
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in states)


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
