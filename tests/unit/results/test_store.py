"""Records are read back, and what cannot be read is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pybench.planning.plan import Plan
from pybench.records import Latency, LatencyFailure, Timing
from pybench.results.store import Store, find_runs, load_results
from pybench.spec import Resources
from pybench.types import InputError
from tests.unit.run.running import go


def test_results_load_as_one_row_per_trial(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    go(make_plan("difference", "raising"), tmp_path / "out" / "tiny")
    for place in (tmp_path / "out", tmp_path / "out" / "tiny"):
        frame = load_results(place)
        assert len(frame) == 4
        assert set(frame["status"]) == {"ok", "failed"}
        assert frame["metrics.image_auroc"].notna().sum() == 2


def test_a_run_that_is_nowhere_is_refused_by_the_folders_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^no records in {re.escape(str(tmp_path))}/nothing; unknown run"):
        find_runs(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"^no records in nothing or results/nothing; unknown run 'nothing'"):
        find_runs("nothing")


def test_a_damaged_record_is_named(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    records, _ = go(make_plan("difference"), tmp_path / "run")
    path = next((tmp_path / "run").rglob(f"{records['lid/difference'].key}.json"))
    content = json.loads(path.read_text())
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match=path.name):
        Store(tmp_path / "run").results()
    path.write_text(json.dumps({**content, "schema_version": 999}))
    with pytest.raises(InputError, match="newer pybench"):
        Store(tmp_path / "run").results()


def failure(key: str) -> LatencyFailure:
    return LatencyFailure(
        key=key, dataset="d", category="lid", method="padim", params={}, resources=Resources(), profile="quick",
        status="failed", reason="boom", code_version="", started="2026-01-01", finished="2026-01-02",
    )  # fmt: skip


def measured(key: str) -> Latency:
    timing = Timing(calls=30, p50=1, p90=1, p95=1, p99=None, intervals={})
    return Latency(
        key=key, dataset="d", category="lid", method="padim", params={}, resources=Resources(), profile="quick",
        image_height=8, image_width=8, end_to_end=timing, predict=timing, first_call_ms=50, peak_memory_mb=1,
        flags=(), manifest={}, code_version="", finished="2026-01-01T00:00:00.000+00:00",
    )  # fmt: skip


def test_a_failure_takes_the_place_of_a_latency_and_gives_it_up(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_latency(measured("a"))
    store.write_latency(failure("b"))
    assert store.latencies() == [measured("a"), failure("b")]
    store.write_latency(failure("a"))
    assert store.latencies() == [failure("a"), failure("b")]
    assert [file.name for file in (tmp_path / "attempts").iterdir()] == ["a-2026-01-01T000000.000Z.json"]
    store.write_latency(measured("a"))
    assert store.latencies() == [measured("a"), failure("b")]
