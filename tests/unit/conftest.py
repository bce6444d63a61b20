"""Plans over the tiny data set, and searches of a method whose optimum is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.search.prepare import Prepared, prepare
from tests.unit.search.tunable import GUARDED, METHOD, METRIC


@pytest.fixture
def make_plan(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., Plan]:
    def make(*methods: str, extra: str = "latency: null", **options: Any) -> Plan:
        registry.add_plugins(plugins)
        return plan(
            *load_suite(str(write_suite(*methods, extra=extra))), profile="paper", data_root=data_root, **options
        )

    return make


@pytest.fixture
def tunable_suite(
    plugins: Path, write_suite: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A suite of one category, on the guarded data set, with a method to tune; the cache is the test's own."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    (plugins / "methods" / "tunable.py").write_text(METHOD)
    (plugins / "datasets").mkdir()
    (plugins / "datasets" / "guarded.py").write_text(GUARDED)
    registry.add_plugins(plugins)
    file = write_suite("tunable", categories="[lid]")
    file.write_text(file.read_text().replace("name: folder", "name: guarded"))
    return file


@pytest.fixture
def prepare_search(tunable_suite: Path, data_root: Path) -> Callable[..., Prepared]:
    def make(metrics: tuple[str, ...] = METRIC, **options: Any) -> Prepared:
        given = {"oracle": False, "filters": {}, "overrides": {}, "profile": "paper", "data_root": data_root, **options}
        return prepare(*load_suite(str(tunable_suite)), "tunable", metrics, **given)

    return make
