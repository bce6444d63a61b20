"""The Ray executor on a small cluster of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors import Executor
from pybench.executors.inline import InlineExecutor
from pybench.executors.ray import RayExecutor
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from pybench.types import InputError
from tests.cluster.listeners import Quiet


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayExecutor]:
    with closing(RayExecutor(None)) as executor:
        yield executor


@pytest.fixture
def make_plan(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., Plan]:
    def make(*methods: str, extra: str = "latency: null", overrides: dict[str, str] | None = None) -> Plan:
        registry.add_plugins(plugins)
        suite = load_suite(str(write_suite(*methods, extra=extra)))
        return plan(*suite, profile="paper", data_root=data_root, overrides=overrides)

    return make


def records(planned: Plan, folder: Path, executor: Executor) -> dict[str, Record]:
    results = run(planned, Store(folder), executor, force=False, listener=Quiet())
    return {f"{result.record.spec.category}/{result.record.spec.method}": result.record for result in results}


def test_a_ray_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(**options: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("ray.init", too_slow)
    with pytest.raises(InputError, match=r"cannot be started .*\(Exception: .* timed out .*\); --executor inline"):
        RayExecutor(None)


def test_ray_and_inline_give_identical_metrics(
    cluster: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    planned = make_plan("difference", "no_maps", extra="latency: {calls: 30, seconds: 0.1, processes: 1}")
    on_ray = records(planned, tmp_path / "ray", cluster)
    inline = records(planned, tmp_path / "inline", InlineExecutor())
    assert {name: record.status for name, record in on_ray.items()} == dict.fromkeys(on_ray, "ok")
    for name, record in on_ray.items():
        assert record.metrics == inline[name].metrics
        assert record.fingerprint == inline[name].fingerprint
        assert record.backends == inline[name].backends
    assert all(result.latency for result in Store(tmp_path / "ray").results())


def test_a_method_that_kills_its_worker_fails_alone(
    cluster: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    found = records(make_plan("segfault", "raising", "difference"), tmp_path / "run", cluster)
    assert found["lid/segfault"].status == "failed"
    assert "its worker died" in found["lid/segfault"].reason
    assert found["plate/raising"].reason == "ValueError: the lamp is broken"
    assert found["lid/difference"].status == found["plate/difference"].status == "ok"
    attempts = found["lid/segfault"].attempts
    assert len(attempts) == 3
    assert all(attempt.node and attempt.started < attempt.ended for attempt in attempts)
    assert "WorkerCrashedError" in attempts[0].reason


def test_a_worker_that_dies_once_costs_an_attempt(
    cluster: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    planned = make_plan("flaky", "difference", overrides={"flaky.marker": str(tmp_path / "marker")})
    found = records(planned, tmp_path / "run", cluster)
    assert {record.status for record in found.values()} == {"ok"}
    assert sorted(len(found[name].attempts) for name in ("lid/flaky", "plate/flaky")) in ([0, 1], [1, 1])
    assert not found["lid/difference"].attempts
    assert found["lid/flaky"].metrics == found["lid/difference"].metrics


def test_a_trial_that_hangs_is_stopped(cluster: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    planned = make_plan("hangs", "difference", extra="latency: null\nlimits: {minutes: 0.15}")
    found = records(planned, tmp_path / "run", cluster)
    for category in ("lid", "plate"):
        record = found[f"{category}/hangs"]
        assert record.status == "timeout"
        assert record.reason == "took longer than 0.15 minutes; it reported last: half way"
        assert record.started < record.finished
        assert not record.attempts
        assert found[f"{category}/difference"].status == "ok"


def test_where_memory_runs_out_images_are_predicted_one_by_one(
    cluster: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    found = records(make_plan("greedy", "difference"), tmp_path / "run", cluster)
    record = found["lid/greedy"]
    assert record.status == "ok"
    assert record.metrics == found["lid/difference"].metrics
    (attempt,) = record.attempts
    assert "can't allocate memory" in attempt.reason
