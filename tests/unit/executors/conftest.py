"""A job for a node that has no data of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors import shipping
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.trial.job import Job


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a node that has no data of its own, and has run no trial before."""
    monkeypatch.setattr(shipping, "_last", {})
    monkeypatch.delenv("PYBENCH_DATA", raising=False)
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def planned(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., Plan]:
    def make(**overrides: str) -> Plan:
        registry.add_plugins(plugins)
        named = {name.replace("_", ".", 1): value for name, value in overrides.items()}
        suite = load_suite(str(write_suite("difference", categories="[lid]")))
        return plan(*suite, profile="paper", data_root=data_root, overrides=named)

    return make


@pytest.fixture
def job(planned: Callable[..., Plan], cache: Path, tmp_path: Path) -> Job:
    made = planned()
    return JobFactory(made, Store(tmp_path / "results" / "tiny")).make(made.specs[0])
