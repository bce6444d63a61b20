"""The Ray executor on a small cluster of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors.inline import InlineExecutor
from pybench.executors.ray import RayExecutor
from pybench.plan import Plan, plan
from pybench.records import Latency, Record, TrialSpec
from pybench.run import run
from pybench.store import Store
from pybench.suite import load_suite


class Quiet:
    """A listener that says nothing."""

    def started(self, total: int) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None: ...

    def measuring(self, spec: TrialSpec) -> None: ...

    def latency(self, latency: Latency) -> None: ...


class Shared:
    """Lets several runs use one cluster: a run's ``close`` leaves it running."""

    def __init__(self) -> None:
        self.executor = RayExecutor(None)
        self.run, self.measure = self.executor.run, self.executor.measure

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def cluster() -> Iterator[Shared]:
    shared = Shared()
    yield shared
    shared.executor.close()


@pytest.fixture
def make_plan(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., Plan]:
    def make(*methods: str, extra: str = "latency: null") -> Plan:
        registry.add_plugins(plugins)
        return plan(*load_suite(str(write_suite(*methods, extra=extra))), profile="paper", data_root=data_root)

    return make


def records(planned: Plan, folder: Path, executor: object) -> dict[str, Record]:
    results = run(planned, Store(folder), lambda: executor, force=False, listener=Quiet())  # type: ignore[arg-type,return-value]
    return {f"{result.record.spec.category}/{result.record.spec.method}": result.record for result in results}


def test_ray_and_inline_give_identical_metrics(cluster: Shared, make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    planned = make_plan("difference", "no_maps", extra="latency: {calls: 30, seconds: 0.1}")
    on_ray = records(planned, tmp_path / "ray", cluster)
    inline = records(planned, tmp_path / "inline", InlineExecutor())
    assert {name: record.status for name, record in on_ray.items()} == dict.fromkeys(on_ray, "ok")
    for name, record in on_ray.items():
        assert record.metrics == inline[name].metrics
        assert record.fingerprint == inline[name].fingerprint
        assert record.backends == inline[name].backends
    assert all(result.latency for result in Store(tmp_path / "ray").results())


def test_a_method_that_kills_its_worker_fails_alone(
    cluster: Shared, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    found = records(make_plan("segfault", "raising", "difference"), tmp_path / "run", cluster)
    assert found["lid/segfault"].status == "failed"
    assert "its worker died" in found["lid/segfault"].reason
    assert found["plate/raising"].reason == "ValueError: the lamp is broken"
    assert found["lid/difference"].status == found["plate/difference"].status == "ok"
