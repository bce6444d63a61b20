"""pybench run: a failing method, finished trials, a dry run, an interruption."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.cli.invoked import invoke, run_parts


def test_a_run_with_a_failing_method_goes_on_and_exits_with_1(parts: Path) -> None:
    done = run_parts("--profile", "paper")
    assert done.exit_code == 1
    assert "error" not in done.stderr
    assert re.search(r"│ lid +│ 100\.0 ", done.stdout)
    assert "failed: RuntimeError: lens cap on (lid/fails, nut/fails)" in done.stdout
    assert "records: results/parts" in done.stderr

    shown = invoke("show", "parts", "--format", "json")
    assert shown.exit_code == 0
    trials = json.loads(shown.stdout, parse_constant=pytest.fail)
    assert [(trial["category"], trial["method"], trial["status"]) for trial in trials] == [
        ("lid", "bright", "ok"), ("lid", "fails", "failed"), ("nut", "bright", "ok"), ("nut", "fails", "failed"),
    ]  # fmt: skip
    assert trials[0]["metrics"]["image_auroc"] == 1
    assert trials[1]["metrics"]["image_auroc"] is None
    assert trials[1]["reason"] == "RuntimeError: lens cap on"

    again = run_parts("--profile", "paper", "--filter", "method=bright")
    assert again.exit_code == 0
    assert "finished already" in again.stderr
    later = json.loads(invoke("show", "parts", "--format", "json").stdout)
    assert [trial["finished"] for trial in later] == [trial["finished"] for trial in trials]

    filtered = invoke("show", "parts", "--filter", "status=failed", "--filter", "category=lid", "--format", "csv")
    assert len(filtered.stdout.splitlines()) == 2
    exported = invoke("export", "parts", "--to", "all.csv")
    assert (exported.exit_code, exported.stdout) == (0, "")
    assert len(Path("all.csv").read_text().splitlines()) == 5
    assert "| lid | 100.0 |" in invoke("show", "parts", "--format", "markdown").stdout


def test_dry_run_lists_trials_and_writes_nothing(parts: Path) -> None:
    listed = run_parts("--profile", "paper", "--dry-run", "--set", "seeds=[0,1]", "--filter", "category=nut")
    assert listed.exit_code == 0
    heads, *lines = [line.split("\t") for line in listed.stdout.splitlines()]
    assert heads == ["#", "key", "dataset", "category", "method", "params", "seed", "data seed"]
    assert [(line[3], line[4], line[6]) for line in lines] == [
        ("nut", "bright", "0"), ("nut", "bright", "1"), ("nut", "fails", "0"), ("nut", "fails", "1"),
    ]  # fmt: skip
    assert all(re.fullmatch("[0-9a-f]{16}", line[1]) for line in lines)
    assert not Path("results").exists()
