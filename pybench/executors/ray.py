"""Runs trials as tasks on a Ray cluster: one that is started for this run, or one that is joined."""

from __future__ import annotations

import logging
import math
import os
import platform
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

# Before ray is imported, which reads them: no usage report, no warning about a start-up default that we do not touch.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRefGenerator
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from pybench import underway
from pybench.environment import usable_cores
from pybench.latency import measure
from pybench.node_lock import node_lock
from pybench.records import Attempt, Latency, Outcome, Status
from pybench.suite import LatencyProtocol
from pybench.trial import Job, now, run_trial, unfinished
from pybench.types import InputError

_RETRIES = 3  # of a trial whose worker or node died
_SECONDS_BETWEEN_COUNTS = 5.0  # of the cluster's cores, which come and go


class RayExecutor:
    """Keeps a bounded window of tasks in flight, so that jobs are made no earlier than they are needed.

    A trial whose worker or node dies is begun again, at most three times; one that runs longer than it may is stopped
    with its worker.

    Args:
        address: of a running cluster (``auto`` finds one on this machine); None starts one here and ends it on close.

    Raises:
        InputError: the cluster cannot be reached.
    """

    def __init__(self, address: str | None) -> None:
        try:
            if address is None:
                ray.init(
                    address="local",
                    num_cpus=usable_cores(),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    configure_logging=True,
                )
            else:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"--address {address}: cannot join this Ray cluster: {error}") from error
        # Retries are ours, because Ray's would not tell when a trial was begun, and would begin one that hung again.
        self._trial = ray.remote(max_retries=0, num_returns="streaming")(_locked_trial)
        self._latency = ray.remote(max_retries=0)(measure)
        self._cpus, self._counted = 1, -math.inf
        self._looked = -math.inf

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        waiting, exhausted = iter(jobs), False
        in_flight: dict[ObjectRefGenerator, _Task] = {}
        try:
            while True:
                room = not exhausted and len(in_flight) < self._window(in_flight.values())
                # Outcomes go out before the next job is made, which may draw images: a kill must not lose them.
                ready = _ready(in_flight, wait=not room)
                for stream in ready:
                    task = in_flight.pop(stream)
                    outcome = task.next(stream)
                    if outcome is not None:
                        yield outcome
                    elif task.is_begun:
                        in_flight[stream] = task
                    else:
                        in_flight[self._submit(task.job)] = task
                if room and not ready:
                    if (job := next(waiting, None)) is not None:
                        in_flight[self._submit(job)] = _Task(job)
                    exhausted = job is None
                elif exhausted and not in_flight:
                    return
                self._stop_late(in_flight)
        finally:
            for stream in in_flight:
                ray.cancel(stream, force=True)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency:
        node = max(
            (node["Resources"] for node in ray.nodes() if node["Alive"]), key=lambda resources: resources.get("CPU", 0)
        )
        whole = self._latency.options(num_cpus=node.get("CPU", 1), num_gpus=node.get("GPU", 0))
        latency: Latency = ray.get(whole.remote(job, protocol))
        return latency

    def close(self) -> None:
        ray.shutdown()

    def _submit(self, job: Job) -> ObjectRefGenerator:
        resources = job.spec.resources
        gpus = 1 if resources.device == "cuda" else 0
        return self._trial.options(num_cpus=resources.threads, num_gpus=gpus).remote(job)

    def _window(self, tasks: Collection[_Task]) -> int:
        """Enough tasks to fill the cluster, and as many again that wait on it."""
        if time.monotonic() > self._counted + _SECONDS_BETWEEN_COUNTS:
            self._cpus, self._counted = int(ray.cluster_resources().get("CPU", 1)), time.monotonic()
        threads = min((task.job.spec.resources.threads for task in tasks), default=1)
        return 2 * max(1, self._cpus // threads)

    def _stop_late(self, in_flight: dict[ObjectRefGenerator, _Task]) -> None:
        """Kill the workers of tasks that take too long; looked for once a second."""
        if time.monotonic() > self._looked + 1:
            self._looked = time.monotonic()
            for stream, task in in_flight.items():
                if task.is_late():
                    ray.cancel(stream, force=True)


@dataclass(frozen=True)
class _Begun:
    """What a trial says first: where and when it was begun."""

    node: str
    moment: str


@dataclass
class _Task:
    """A job in flight: since when its present attempt runs, and what became of earlier ones."""

    job: Job
    begun: _Begun | None = None
    deadline: float = math.inf
    earlier: list[Attempt] = field(default_factory=list)

    @property
    def is_begun(self) -> bool:
        return self.begun is not None

    def is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def next(self, stream: ObjectRefGenerator) -> Outcome | None:
        """Take what the task tells: its outcome, or None where it goes on, or has to be begun again."""
        try:
            told = ray.get(next(stream))
        except RayTaskError:
            raise  # run_trial catches what a method raises: this is a defect of pybench, and must be seen
        except RayError as error:
            return self._lost(error)
        if isinstance(told, _Begun):
            self.begun, self.deadline = told, time.monotonic() + 60 * self.job.minutes
            return None
        outcome: Outcome = told
        return outcome.after(self.earlier)

    def _lost(self, error: RayError) -> Outcome | None:
        """The attempt came to nothing; None where there shall be another."""
        was_late, begun = self.is_late(), self.begun or _Begun("", now())
        self.begun, self.deadline = None, math.inf
        if was_late:
            return self._end(begun, "timeout", f"took longer than {self.job.minutes:g} minutes{self._last_words()}")
        is_memory = isinstance(error, OutOfMemoryError)
        if is_memory and self.job.batch == 1:
            return self._end(begun, "out_of_memory", "its worker was killed for its memory", str(error))
        if len(self.earlier) == _RETRIES:
            reason = f"its worker died {_RETRIES + 1} times ({type(error).__name__})"
            return self._end(begun, "failed", reason, str(error))
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        self.earlier.append(Attempt(node=begun.node, started=begun.moment, ended=now(), reason=reason))
        if is_memory:
            self.job = replace(self.job, batch=1)
        return None

    def _end(self, begun: _Begun, status: Status, reason: str, details: str = "") -> Outcome:
        return Outcome(unfinished(self.job, begun.moment, status, reason, details)).after(self.earlier)

    def _last_words(self) -> str:
        """What the trial reported last, where that can be seen from here."""
        words = "" if self.job.underway is None else underway.last_line(self.job.underway)
        return f"; its last words: {words}" if words else ""


def _ready(streams: Collection[ObjectRefGenerator], *, wait: bool) -> list[ObjectRefGenerator]:
    """The streams with something to take; where that is waited for, within a second."""
    if not streams:
        return []
    ready, _ = ray.wait(list(streams), num_returns=1, timeout=1.0 if wait else 0, fetch_local=False)
    if ready and len(streams) > 1:
        ready, _ = ray.wait(list(streams), num_returns=len(streams), timeout=0, fetch_local=False)
    return ready


def _locked_trial(job: Job) -> Iterator[_Begun | Outcome]:
    with node_lock(exclusive=False):
        yield _Begun(platform.node(), now())
        yield run_trial(job)
