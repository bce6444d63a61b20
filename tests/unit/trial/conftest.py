"""Fixtures that several tests of trials use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.executors.inline import InlineExecutor
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from pybench.spec import TrialSpec
from tests.conftest import PLUGIN
from tests.unit.run.running import Log

OPTIONS = {"normal": "{category}/ok", "defective": "{category}/nok", "masks": "{category}/masks"}


@pytest.fixture
def make_spec(plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrialSpec]:
    """Makes specs that are evaluated on a validation set, which is drawn into a cache of the test's own."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    registry.add_plugins(plugins)

    def make(**changes: Any) -> TrialSpec:
        fields = {
            "suite": "s", "dataset": "folder", "category": "lid", "dataset_options": OPTIONS, "method": "difference",
            "params": {}, "profile": "quick", "metrics": ("aupro_30",), "evaluate_on": "validation", **changes,
        }  # fmt: skip
        return TrialSpec(**fields)

    return make


@pytest.fixture
def run_one(data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path) -> Callable[..., Record]:
    """Runs a plug-in method, whose ``predict`` ends as given, on one category and returns the record."""

    def go(predict: str) -> Record:
        text = PLUGIN.format(name="showing", doc="Shows something.", fit="pass", predict=predict)
        (plugins / "methods" / "showing.py").write_text(text)
        registry.add_plugins(plugins)
        planned = plan(
            *load_suite(str(write_suite("showing", categories="[lid]"))), profile="paper", data_root=data_root
        )
        (result,) = run(planned, Store(tmp_path / "run"), InlineExecutor(), force=True, listener=Log())
        return result.record

    return go
