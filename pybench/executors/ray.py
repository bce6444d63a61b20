"""Runs trials as tasks on a Ray cluster: one that is started for this run, or one that is joined."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# Before ray is imported, which reads them: no usage report, no warning about a start-up default that we do not touch.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRef, ObjectRefGenerator
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from pybench import data, underway
from pybench.environment import usable_cores
from pybench.executors import node, shipping
from pybench.executors.needs import Needs
from pybench.executors.node import Lacking, Order, Refused
from pybench.executors.shipping import Plugins, Shipment
from pybench.latency import measure, node_lock
from pybench.records import Attempt, Latency, Status
from pybench.suite import LatencyProtocol
from pybench.trial import Job, Outcome, now, unfinished
from pybench.types import InputError

_RETRIES = 3  # of a trial whose worker or node died
_SHIPMENTS = 2  # kept for nodes that ask next: trials go category by category
_log = logging.getLogger(__name__)


class RayExecutor:
    """Keeps a bounded window of tasks in flight, so that jobs are made no earlier than they are needed.

    A trial whose worker or node dies is begun again, at most three times; one that runs longer than it may is stopped
    with its worker. A node that has other sources than the driver is told of and not used any more; one that lacks the
    data is sent it.

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
        self._latency = ray.remote(max_retries=0)(_measured)
        self._depot = _Depot()
        self._refused: dict[str, str] = {}  # reasons by the node's id
        self._possible: set[Needs] = set()  # a node had them: where it is lost, it may come back

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        waiting, exhausted = iter(jobs), False
        in_flight: dict[ObjectRefGenerator, _Task] = {}
        try:
            while True:
                room = not exhausted and len(in_flight) < self._window(in_flight.values())
                # An outcome goes out before the next job is made, which may draw images: a kill must not lose it.
                if (stream := _ready(in_flight, wait=not room)) is not None:
                    task = in_flight.pop(stream)
                    outcome = task.next(stream)
                    if outcome is not None:
                        yield outcome
                    elif task.is_begun:
                        in_flight[stream] = task
                    else:
                        in_flight[self._submit(task)] = task
                elif room and (job := next(waiting, None)) is not None:
                    task = _Task(job)
                    in_flight[self._submit(task)] = task
                elif room:
                    exhausted = True
                elif not in_flight:
                    return
                for stream, task in in_flight.items():
                    if task.is_late():
                        ray.cancel(stream, force=True)
        finally:
            for stream in in_flight:
                ray.cancel(stream, force=True)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency:
        sent: _Sent | None = None
        while True:
            largest = max(self._nodes(job), key=lambda resources: resources.get("CPU", 0))
            whole = {"num_cpus": largest.get("CPU", 1), "num_gpus": largest.get("GPU", 0)}
            task = self._latency.options(**whole, **self._elsewhere())
            told = ray.get(task.remote(job, self._depot.plugins(job.plugins), sent, protocol))
            if isinstance(told, Latency):
                return told
            if isinstance(told, _SentBack) and isinstance(told.why, Refused):
                self._refuse(told)
            else:
                sent = self._depot.data(job)

    def close(self) -> None:
        ray.shutdown()

    def _submit(self, task: _Task) -> ObjectRefGenerator:
        job, told = task.job, task.sent_back
        if told is not None and isinstance(told.why, Refused):
            self._refuse(told)
        if job.underway is not None:
            with contextlib.suppress(OSError):  # its checkpoints' folder tells a node that it sees this disk
                job.underway.parent.mkdir(parents=True, exist_ok=True)
        needs = Needs.of(job)
        if needs not in self._possible:
            self._nodes(job)
            self._possible.add(needs)
        remote = self._trial.options(**needs.options(), **self._elsewhere())
        sent = self._depot.data(job) if task.lacks_data else None
        return remote.remote(job, self._depot.plugins(job.plugins), sent)

    def _nodes(self, job: Job) -> list[dict[str, float]]:
        """What the nodes have that could run a job if they ran nothing else.

        Raises:
            InputError: there is none, so that the job would wait for ever.
        """
        needs = Needs.of(job)
        alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        found = [alive[name] for name in alive.keys() - self._refused.keys() if needs.fit(alive[name])]
        if not found:
            have = "; ".join(str(Needs.there(resources)) for resources in alive.values())
            asked = f"{needs} (resources.threads, limits.gpus, limits.memory_gb)"
            problem = (
                f"no node of this cluster can run {job.spec.method}, which asks for {asked}; the nodes have: {have}"
            )
            raise InputError("\n".join([problem, *self._refused.values()]))
        return found

    def _elsewhere(self) -> dict[str, Any]:
        """The option that keeps a task off the nodes that are refused."""
        names = ",".join(self._refused)
        return {"label_selector": {"ray.io/node-id": f"!in({names})"}} if names else {}

    def _refuse(self, told: _SentBack) -> None:
        if told.node_id not in self._refused and isinstance(told.why, Refused):
            reason = f"node {told.why.node} is refused: {told.why.reason}; install the same pybench on every node"
            self._refused[told.node_id] = reason
            self._possible.clear()
            _log.warning(reason)

    @staticmethod
    def _window(tasks: Iterable[_Task]) -> int:
        """Enough tasks to fill the cluster, and as many again that wait on it."""
        threads = min((task.job.spec.resources.threads for task in tasks), default=1)
        return 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)


@dataclass(frozen=True)
class _Begun:
    """What a trial says first: where and when it was begun."""

    node: str
    moment: str


@dataclass(frozen=True)
class _SentBack:
    """What a trial says where it does not run: why, and on which of Ray's nodes."""

    why: Lacking | Refused
    node_id: str


@dataclass(frozen=True)
class _Sent:
    """A shipment, and its files in chunks."""

    shipment: Shipment
    chunks: list[ObjectRef[bytes]]


class _Depot:
    """What the driver holds in Ray's object store for nodes to fetch."""

    def __init__(self) -> None:
        self._plugins: dict[tuple[Path, ...], ObjectRef[list[Plugins]]] = {}
        self._shipments: dict[str, _Sent] = {}

    def plugins(self, folders: tuple[Path, ...]) -> ObjectRef[list[Plugins]]:
        """The folders of plug-ins with all that is in them."""
        if folders not in self._plugins:
            self._plugins[folders] = ray.put([shipping.pack_plugins(folder) for folder in folders])
        return self._plugins[folders]

    def data(self, job: Job) -> _Sent:
        """A job's samples, and their files in chunks; the tasks that were given older ones keep these alive."""
        if job.fingerprint not in self._shipments:
            shipment, files = shipping.pack(data.load(job.spec, job.data_root))
            while len(self._shipments) >= _SHIPMENTS:
                del self._shipments[next(iter(self._shipments))]
            chunks = [ray.put(chunk) for chunk in shipping.chunks(files)]
            self._shipments[job.fingerprint] = _Sent(shipment, chunks)
        return self._shipments[job.fingerprint]


@dataclass
class _Task:
    """A job in flight: since when its present attempt runs, and what became of earlier ones."""

    job: Job
    sent_back: _SentBack | None = None
    lacks_data: bool = False
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
        except RayTaskError as error:
            if "failed to import on the worker" in str(error):
                raise _without_pybench(error) from error
            raise  # run_trial catches what a method raises: this is a defect of pybench, and must be seen
        except RayError as error:
            return self._lost(error)
        if isinstance(told, _Begun):
            self.begun, self.deadline = told, time.monotonic() + 60 * self.job.minutes
            return None
        if isinstance(told, _SentBack):
            self.begun, self.deadline, self.sent_back = None, math.inf, told
            self.lacks_data |= isinstance(told.why, Lacking)
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


def _ready(streams: Iterable[ObjectRefGenerator], *, wait: bool) -> ObjectRefGenerator | None:
    """A stream with something to take, within a second where that is waited for."""
    streams = list(streams)
    if not streams:
        return None
    ready, _ = ray.wait(streams, num_returns=1, timeout=1.0 if wait else 0, fetch_local=False)
    return ready[0] if ready else None


def _without_pybench(error: RayTaskError) -> InputError:
    """A node that cannot even load our task has no chance to refuse it."""
    text = str(error).strip()
    where = re.search(r"ip=([^,)]+)", text)
    node = where.group(1) if where else "of the cluster"
    return InputError(f"node {node} cannot load pybench ({text.splitlines()[-1]}); install the same one on every node")


def _locked_trial(job: Job, plugins: list[Plugins], sent: _Sent | None) -> Iterator[_Begun | Outcome | _SentBack]:
    with node_lock(exclusive=False):
        yield _Begun(platform.node(), now())
        told = node.trial(_order(job, plugins, sent))
        yield told if isinstance(told, Outcome) else _sent_back(told)


def _measured(job: Job, plugins: list[Plugins], sent: _Sent | None, protocol: LatencyProtocol) -> Latency | _SentBack:
    told = node.prepared(_order(job, plugins, sent))
    return measure(told, protocol) if isinstance(told, Job) else _sent_back(told)


def _order(job: Job, plugins: list[Plugins], sent: _Sent | None) -> Order:
    """Chunks are fetched one after another, when they are written."""
    if sent is None:
        return Order(job, plugins, None, ())
    return Order(job, plugins, sent.shipment, (ray.get(chunk) for chunk in sent.chunks))


def _sent_back(why: Lacking | Refused) -> _SentBack:
    return _SentBack(why, ray.get_runtime_context().get_node_id())
