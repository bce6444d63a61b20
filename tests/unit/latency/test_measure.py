"""Latencies are measured in fresh processes that load a fitted state; errors are returned, not raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pybench import registry
from pybench.disk.source_hash import installed_modules, sources_of
from pybench.latency import measure
from pybench.latency.percentiles import interval
from pybench.planning.plan import plan
from pybench.planning.suite import LatencyProtocol, load_suite
from pybench.records import Latency, LatencyFailure, ProcessTiming
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.trial import fitted_states
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial

QUICK = LatencyProtocol(calls=30, seconds=0.1, processes=1, batch_sizes=())
MakeJob = Callable[[str], Job]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYBENCH_FITTED_GB", "1")


@pytest.fixture
def make_job(data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path) -> MakeJob:
    registry.add_plugins(plugins)

    def make(method: str) -> Job:
        suite = write_suite(method, extra="latency: {calls: 30, seconds: 0.1}", categories="[lid]")
        planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root)
        return JobFactory(planned, Store(tmp_path / "run")).make(planned.specs[0])

    return make


def test_a_state_that_its_trial_left_is_measured_in_fresh_processes(make_job: MakeJob) -> None:
    job = make_job("greedy")  # has memory for one image only
    record = run_trial(job).record
    assert (record.status, record.remarks) == ("ok", [])
    assert record.timings["keep_state"] >= 0
    protocol = LatencyProtocol(calls=30, seconds=0.1, processes=2, batch_sizes=(1, 8))
    found = measure.measure(job, protocol)
    assert isinstance(found, Latency), found.traceback
    assert found.manifest["state"] == "kept by its trial"
    assert len(found.processes) == 2
    for timing, name in ((found.end_to_end, "end_to_end_ms"), (found.predict, "predict_ms")):
        pooled = np.concatenate([getattr(process, name) for process in found.processes])
        assert timing.calls == len(pooled) == 30
        assert timing.p50 == pytest.approx(np.median(pooled))
    for process in found.processes:
        assert process.interval == interval(np.array(process.end_to_end_ms), 0.5)
    assert found.one_thread is not None
    assert found.one_thread.calls >= 15
    assert found.stages.keys() == {"decode", "preprocess"}
    assert found.stage_calls == 2 * 5
    assert found.missing_share == pytest.approx(1 - sum(found.stages.values()) / found.end_to_end.p50)
    assert any(flag.startswith("stages add up to") for flag in found.flags), "the plug-in names no stage of its own"
    assert found.throughput[0].images_per_second is not None
    assert found.throughput[1].reason == "does not fit in memory"
    assert found.load_ms is not None
    assert found.load_ms > 0
    assert found.peak_memory_mb > 10
    assert (found.image_height, found.image_width) == (40, 40)
    manifest = found.manifest
    assert manifest["threads"] == found.resources.threads
    assert {"cpu_mhz", "cpu_max_mhz", "governor", "gpus"} == manifest["clocks"].keys()
    assert len(manifest["load_average_before"]) == len(manifest["load_average_after"]) == 3


def test_without_a_kept_state_it_is_fitted_and_then_kept(make_job: MakeJob) -> None:
    job = make_job("difference")
    found = measure.measure(job, QUICK)
    assert isinstance(found, Latency)
    assert found.manifest["state"] == "fitted for this measurement (none was kept)"
    assert fitted_states.find(job.origin)[0] is not None


@pytest.mark.parametrize(
    ("method", "minutes", "status", "reason"),
    [
        ("raising", 1, "failed", "ValueError: the lamp is broken"),
        ("segfault", 1, "failed", "its process died (SIGSEGV)"),
        ("unloadable", 1, "failed", "its process died (SIGKILL), perhaps for want of memory"),
        ("hangs", 0.02, "timeout", "took longer than 0.02 minutes"),
    ],
)
def test_errors_are_returned(make_job: MakeJob, method: str, minutes: float, status: str, reason: str) -> None:
    job = replace(make_job(method), minutes=minutes)
    found = measure.measure(job, QUICK)
    assert isinstance(found, LatencyFailure)
    assert (found.status, found.reason) == (status, reason)
    assert found.key == job.spec.latency_key()
    assert ("the lamp is broken" in found.traceback) == (method == "raising")


def test_a_process_that_is_not_ready_in_time_is_a_timeout(make_job: MakeJob) -> None:
    job = make_job("difference")
    assert run_trial(job).record.status == "ok"
    found = measure.measure(replace(job, minutes=0.001), QUICK)
    assert isinstance(found, LatencyFailure)
    assert (found.status, found.reason) == ("timeout", "took longer than 0.001 minutes")


def process(median: float, width: float) -> ProcessTiming:
    low, high = median - width, median + width
    return ProcessTiming(
        p50=median, interval=(low, high), load_ms=1, first_call_ms=1, peak_memory_mb=1, end_to_end_ms=(median,),
        predict_ms=(median,),
    )  # fmt: skip


def test_flags() -> None:
    end_to_end = measure._pooled([[10.0] * 30])
    alike, other = [process(10, 0.5), process(10.4, 0.5), process(9.6, 0.5)], process(12, 0.5)
    assert measure._flags(0.1, alike, {"match": 9.6}, end_to_end) == []
    assert measure._flags(0.23, alike, {"match": 10.4}, end_to_end) == ["busy machine: others used 23% of its CPU time"]
    assert measure._flags(0, [*alike[:2], other], {"match": 10}, end_to_end) == ["the medians of 3 processes differ"]
    for stages, share in (({"match": 9.4}, "94%"), ({"match": 9, "decode": 1.6}, "106%")):
        assert measure._flags(0, alike, stages, end_to_end) == [f"stages add up to {share} of end to end"]


def test_the_measuring_code_has_a_version_of_its_own() -> None:
    modules = installed_modules()
    sources = sources_of([modules["pybench.latency.measure"]], modules)
    for name in ("latency.worker", "latency.fresh_process", "latency.percentiles", "machine.clocks", "stages"):
        assert modules[f"pybench.{name}"] in sources, name
    assert len(measure.measuring_code()) == 16


def test_a_latency_that_other_code_measured_is_not_taken(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job("difference")
    store, taken = Store(tmp_path / "run"), measure.measure(job, QUICK)
    assert taken.measured_by == measure.measuring_code()
    store.write_latency(taken)
    assert store.latency(job.spec, job.code_version, measure.measuring_code()) is not None
    assert store.latency(job.spec, job.code_version, "another") is None
    assert store.latency(job.spec, "another", measure.measuring_code()) is None
