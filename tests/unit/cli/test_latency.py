"""pybench latency: a suite, then its run; and what a latency that fails does to a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pybench.cli.app import app


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYBENCH_FITTED_GB", "1")


def test_a_latency_that_fails_ends_no_run(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    """Its trials are well; the table says why there is no latency, and the exit code that something failed."""
    suite = write_suite(
        "unloadable", extra="latency: {calls: 30, seconds: 0.1, processes: 1, batch_sizes: []}", categories="[lid]"
    )
    options = ["--data-root", data_root, "--plugins", plugins, "--out", tmp_path / "out", "--profile", "paper"]
    done = CliRunner().invoke(app, ["run", str(suite), *map(str, options), "--executor", "inline"])
    assert done.exit_code == 1, done.output
    assert "latency of unloadable: failed: its process died (SIGKILL), perhaps for want of memory" in done.output
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "out"), "--format", "json", "--plugins", str(plugins)])
    (trial,) = json.loads(shown.output)
    assert (trial["status"], trial["latency"]) == ("ok", None)
    assert trial["latency_failure"] == "its process died (SIGKILL), perhaps for want of memory"


def test_the_command_measures_a_suite_and_then_its_run(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    suite = write_suite("difference", extra="latency: {calls: 30, seconds: 0.1, processes: 1, batch_sizes: [2]}")
    options = [str(option) for option in ("--data-root", data_root, "--plugins", plugins)]
    placed = [str(suite), *options, "--out", str(tmp_path / "out"), "--profile", "paper"]
    done = CliRunner().invoke(app, ["latency", *placed, "--format", "json", "--set", "latency.batch_sizes=[1,2]"])
    assert done.exit_code == 0, done.output
    (one,) = json.loads(done.stdout)
    assert one["status"] == "ok"
    assert one["latency"]["images_per_second"].keys() == {"1", "2"}
    assert one["metrics"] == {}
    done = CliRunner().invoke(app, ["run", *placed, "--executor", "inline"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["latency", str(tmp_path / "out" / "tiny"), *options, "--format", "csv"])
    assert done.exit_code == 0, done.output
    head, row = done.stdout.splitlines()
    assert "metrics.image_auroc" in head
    assert row.startswith("ok,")
    done = CliRunner().invoke(app, ["latency", str(tmp_path / "out" / "tiny"), *options, "--set", "seeds=1"])
    assert done.exit_code == 2
    assert "--set and --dataset are for suites" in done.stderr
