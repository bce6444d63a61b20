"""What pybench itself costs, with trials that do nothing: ``make scale`` (a quarter of an hour), or with fewer trials.

    python tests/scale/measure.py --trials 2000

A trial that does nothing is one whose method says that it cannot run: it takes every step of a trial's way (planned,
sent to a worker under the node's lock, returned, committed to the disk, reported) and computes nothing. It prints, for
this run: Ray's time for an empty task in a window as wide as the executor's, pybench's time for a trial, what the
driver's memory grows by from the 1,000th to the last, how long a run that was stopped half-way takes to go on, and how
soon a suite of a million trials starts its first.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ray
from PIL import Image

from pybench import registry
from pybench.executors import Executor
from pybench.executors.lazy import LazyExecutor
from pybench.executors.ray import RayExecutor
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.records import Latency, LatencyFailure, Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from pybench.spec import TrialSpec

METHOD = '''
from pybench.types import Citation, Method, MethodParams

class Idle(Method):
    """Does nothing: no parameters are supported."""

    name, Params, paper = "idle", MethodParams, Citation("none", "none", 2026)

    @classmethod
    def unsupported(cls, params, device):
        return ["it does nothing"]

    def fit(self, train): ...

    def predict(self, images): ...

    def state_dict(self):
        return {}

    def load_state_dict(self, state): ...
'''

SUITE = """
name: idle
title: Trials that do nothing
datasets: [{name: folder, categories: [lid], options: {normal: lid/ok, defective: lid/nok}}]
methods: [{name: idle}]
metrics: [image_auroc]
latency: null
"""


class Stopped(Exception):
    """A listener raises it to end a run."""


class Watch:
    """A listener that takes times and the driver's memory, and may end the run."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.began = time.monotonic()
        self.first = self.last = 0.0
        self.new = 0
        self.resident: dict[int, float] = {}
        self.statuses: Counter[str] = Counter()

    def started(self, total: int) -> None: ...

    def handed(self, spec: TrialSpec) -> None:
        if self.stop_at is not None and self.new >= self.stop_at:
            raise Stopped

    def trial(self, record: Record, *, reused: bool) -> None:
        self.statuses[record.status] += 1
        if not reused:
            self.last = time.monotonic()
            self.first = self.first or self.last
            self.new += 1
            if self.new % 1000 == 0:
                self.resident[self.new] = resident_mb()

    def measuring(self, spec: TrialSpec) -> None: ...

    def latency(self, latency: Latency | LatencyFailure) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20_000)
    count = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        planned = prepare(folder)
        executor = RayExecutor(None)
        try:
            measured = measure(folder, planned, executor, count)
        finally:
            executor.close()
        measured |= first_of_a_million(folder, planned)
    print(json.dumps(measured, indent=1))


def measure(folder: Path, planned: Callable[[int], Plan], executor: Executor, count: int) -> dict[str, float]:
    """All figures; times in milliseconds or seconds, as their names say."""
    watch = Watch(stop_at=200)
    stopped(planned(400), Store(folder / "warm"), executor, watch)
    empty_before = empty_task_ms(min(count, 2000))
    half = Watch(stop_at=count // 2)
    stopped(planned(count), Store(folder / "run"), executor, half)
    rest = Watch()
    stopped(planned(count), Store(folder / "run"), executor, rest)
    empty_after = empty_task_ms(min(count, 2000))
    assert half.new + rest.new >= count, "trials are missing"
    trial = 1000 * (half.last - half.first + rest.last - rest.first) / (half.new + rest.new - 2)
    grown = max(rest.resident.values()) - min(half.resident.values()) if rest.resident and half.resident else 0.0
    return {
        "trials": half.new + rest.new,
        "empty_task_ms": round((empty_before + empty_after) / 2, 2),
        "trial_ms": round(trial, 2),
        "over_an_empty_task_ms": round(trial - (empty_before + empty_after) / 2, 2),
        "driver_memory_at_1000_mb": round(min(half.resident.values(), default=0.0), 1),
        "driver_memory_grows_by_mb": round(grown, 1),
        "goes_on_after_s": round(rest.first - rest.began, 2),
    }


def first_of_a_million(folder: Path, planned: Callable[[int], Plan]) -> dict[str, float]:
    """Seconds until the first of a million trials is done on a fresh Ray whose workers have imported nothing yet: in
    all, from the plan on, and of these from the moment at which Ray is ready."""
    ready = 0.0

    def make_executor() -> RayExecutor:
        nonlocal ready
        executor = RayExecutor(None)
        ready = time.monotonic()
        return executor

    watch = Watch(stop_at=1)
    with LazyExecutor(make_executor) as lazy:
        stopped(planned(1_000_000), Store(folder / "million"), lazy, watch)
    return {
        "first_of_a_million_after_s": round(watch.first - watch.began, 2),
        "of_these_since_ray_is_ready_s": round(watch.first - ready, 2),
    }


def prepare(folder: Path, method: str = METHOD) -> Callable[[int], Plan]:
    """Write the suite, its method and its data; returns what makes a plan of so many trials."""
    generator = np.random.default_rng(0)
    for place in ("lid/ok", "lid/nok"):
        (folder / "data" / place).mkdir(parents=True)
        for number in range(4):
            pixels = generator.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "data" / place / f"{number}.png")
    (folder / "mine" / "methods").mkdir(parents=True)
    (folder / "mine" / "methods" / "idle.py").write_text(method)
    (folder / "idle.yaml").write_text(SUITE)
    registry.add_plugins(folder / "mine")
    suite, document = load_suite(str(folder / "idle.yaml"))

    def planned(count: int) -> Plan:
        of_count = suite.model_copy(update={"seeds": tuple(range(count))})
        return plan(of_count, document, profile="paper", data_root=folder / "data")

    return planned


def stopped(planned: Plan, store: Store, executor: Executor, watch: Watch) -> None:
    """A run until its end, or the watch's."""
    with contextlib.suppress(Stopped):
        run(planned, store, executor, force=False, listener=watch)


def empty_task_ms(count: int) -> float:
    """Ray's time for a task that does nothing, with as many in flight as the executor has."""
    task = ray.remote(max_retries=0)(nothing)
    window = 2 * int(ray.cluster_resources().get("CPU", 1))
    ray.get([task.remote() for _ in range(window)])
    began, going, done = time.monotonic(), [], 0
    while done < count:
        while len(going) < window and done + len(going) < count:
            going.append(task.remote())
        ready, going = ray.wait(going, num_returns=1)
        done += len(ray.get(ready))
    return 1000 * (time.monotonic() - began) / count


def nothing() -> None:
    """The empty task."""


def resident_mb() -> float:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
