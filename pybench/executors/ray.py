"""Runs trials as tasks on a Ray cluster: one that is started for this run, or one that is joined."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import pickle
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

# Before ray is imported, which reads them: no usage report, no warning about a start-up default that we do not touch.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import ObjectRefGenerator
from ray.exceptions import NodeDiedError, RayError

from pybench.executors.demand import Demand
from pybench.executors.node import Refused
from pybench.executors.ray_task import Depot, Sent, SentBack, Task, locked_trial, lost_latency, measured_latency
from pybench.machine.environment import usable_cores
from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, Outcome, now
from pybench.trial.job import Job
from pybench.types import InputError

_SECONDS_BETWEEN_LOOKS = 5.0  # at the cluster's nodes, which come and go
_log = logging.getLogger(__name__)


class RayExecutor:
    """Keeps a bounded window of tasks in flight, so that jobs are made no earlier than they are needed.

    A trial whose worker or node dies is begun again, at most three times; one that runs longer than it may is stopped
    with its worker. A node that has other sources than the driver, or does not answer, is reported and not used again;
    one that lacks the data receives it.

    Args:
        address: of a running cluster (``auto`` finds one on this machine); None starts one here and ends it on close.

    Raises:
        InputError: the cluster cannot be reached, or none be started here.
    """

    def __init__(self, address: str | None) -> None:
        if address is None:
            _start()
        else:
            _join(address)
        # We retry ourselves: Ray does not report when a retry begins, and would also retry a trial that took too long.
        self._trial = ray.remote(max_retries=0, num_returns="streaming")(locked_trial)
        self._latency = ray.remote(max_retries=0)(measured_latency)
        self._depot = Depot()
        self._avoided: dict[str, str] = {}  # reasons by the node's id
        self._trials: dict[Demand, Any] = {}  # only demands that some node could meet when they were first seen
        self._alive: dict[str, dict[str, float]] = {}
        self._looked_at_nodes = self._looked_for_late = -math.inf

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        waiting, exhausted = iter(jobs), False
        in_flight: dict[ObjectRefGenerator, Task] = {}
        try:
            while True:
                yield from self._follow_nodes(in_flight)
                room = not exhausted and len(in_flight) < self._window(in_flight.values())
                # Outcomes are yielded before the next job is made: that may draw images, and a kill must not lose any.
                ready = _ready(in_flight, wait=not room)
                for stream in ready:
                    task = in_flight.pop(stream)
                    outcome = task.next(stream)
                    if outcome is not None:
                        yield outcome
                    elif task.is_begun:
                        in_flight[stream] = task
                    else:
                        in_flight[self._submit(task)] = task
                if room and not ready:
                    if (job := next(waiting, None)) is not None:
                        task = Task(job)
                        in_flight[self._submit(task)] = task
                    exhausted = job is None
                elif exhausted and not in_flight:
                    return
                self._stop_late(in_flight)
        finally:
            for stream in in_flight:
                ray.cancel(stream, force=True)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
        started = now()
        sent: Sent | None = None
        while True:
            largest = max(self._nodes(job), key=lambda resources: resources.get("CPU", 0))
            whole = {"num_cpus": largest.get("CPU", 1), "num_gpus": largest.get("GPU", 0)}
            task = self._latency.options(**whole, **self._elsewhere())
            try:
                answer = ray.get(task.remote(job, self._depot.plugins(job.plugins), sent, protocol))
            except RayError as error:
                return lost_latency(job, started, error)
            if isinstance(answer, Latency | LatencyFailure):
                return answer
            if isinstance(answer, SentBack) and isinstance(answer.why, Refused):
                self._refuse(answer)
            else:
                sent = self._depot.data(job)

    def close(self) -> None:
        ray.shutdown()

    def _follow_nodes(self, in_flight: dict[ObjectRefGenerator, Task]) -> Iterator[Outcome]:
        """Every few seconds see which nodes have come and gone, and begin again what waits for one that is gone.

        The tasks of a node that is killed fail at once. One that hangs, or whose network does, Ray gives up within a
        minute; but it waits for what was sent there for minutes longer, and does not begin what would have followed.
        """
        if time.monotonic() < self._looked_at_nodes + _SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at_nodes = time.monotonic()
        before, self._alive = self._alive, _alive()
        gone = before.keys() - self._alive.keys()
        if not gone:
            return
        for node_id in gone:
            self._avoid(node_id, f"node {node_id} does not answer any more; its trials are begun again")
        self._trials = {demand: self._with_options(demand) for demand in self._trials}
        for stream, task in list(in_flight.items()):
            if task.begun is None or task.begun.node_id in gone:
                ray.cancel(stream, force=True)
                del in_flight[stream]
                outcome = task.lost(NodeDiedError("its node does not answer any more")) if task.begun else None
                if outcome is not None:
                    yield outcome
                else:
                    in_flight[self._submit(task)] = task

    def _submit(self, task: Task) -> ObjectRefGenerator:
        job, sent_back = task.job, task.sent_back
        if sent_back is not None and isinstance(sent_back.why, Refused):
            self._refuse(sent_back)
        if job.progress_folder is not None:
            with contextlib.suppress(OSError):  # its checkpoints' folder tells a node that it sees this disk
                job.progress_folder.parent.mkdir(parents=True, exist_ok=True)
        sent = self._depot.data(job) if task.lacks_data else None
        return self._trial_with(Demand.of(job), job).remote(pickle.dumps(job), self._depot.plugins(job.plugins), sent)

    def _trial_with(self, demand: Demand, job: Job) -> Any:
        """The remote function with its options. It is kept, because making it takes longer than sending a task."""
        if demand not in self._trials:
            self._nodes(job)
            self._trials[demand] = self._with_options(demand)
        return self._trials[demand]

    def _with_options(self, demand: Demand) -> Any:
        return self._trial.options(**demand.options(), **self._elsewhere())

    def _nodes(self, job: Job) -> list[dict[str, float]]:
        """What the nodes have that could run a job if they ran nothing else.

        Raises:
            InputError: there is none, so that the job would wait for ever.
        """
        demand = Demand.of(job)
        alive = _alive()
        found = [alive[name] for name in alive.keys() - self._avoided.keys() if demand.fits(alive[name])]
        if not found:
            have = "; ".join(str(Demand.all_of(resources)) for resources in alive.values())
            asked = f"{demand} (resources.threads, limits.gpus, limits.memory_gb)"
            problem = (
                f"no node of this cluster can run {job.spec.method}, which asks for {asked}; the nodes have: {have}"
            )
            raise InputError("\n".join([problem, *self._avoided.values()]))
        return found

    def _elsewhere(self) -> dict[str, Any]:
        """The option that keeps a task off the nodes that are avoided."""
        names = ",".join(self._avoided)
        return {"label_selector": {"ray.io/node-id": f"!in({names})"}} if names else {}

    def _refuse(self, sent_back: SentBack) -> None:
        if sent_back.node_id not in self._avoided and isinstance(sent_back.why, Refused):
            why = sent_back.why
            reason = f"node {why.node} is refused: {why.reason}; install the same pybench on every node"
            self._avoid(sent_back.node_id, reason)
            self._trials.clear()

    def _avoid(self, node_id: str, reason: str) -> None:
        self._avoided[node_id] = reason
        _log.warning(reason)

    def _window(self, tasks: Collection[Task]) -> int:
        """Enough tasks to fill the cluster, and as many again that wait on it."""
        cpus = sum(resources.get("CPU", 0) for resources in self._alive.values())
        threads = min((task.job.spec.resources.threads for task in tasks), default=1)
        return 2 * max(1, int(cpus) // threads)

    def _stop_late(self, in_flight: dict[ObjectRefGenerator, Task]) -> None:
        """Kill the workers of tasks that take too long; they are looked for once a second."""
        if time.monotonic() > self._looked_for_late + 1:
            self._looked_for_late = time.monotonic()
            for stream, task in in_flight.items():
                if task.is_late():
                    ray.cancel(stream, force=True)


def _start() -> None:
    try:
        ray.init(
            address="local",
            num_cpus=usable_cores(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
        )
    except Exception as error:  # Ray raises a plain Exception if its processes do not start in time
        seen = f"{type(error).__name__}: {error}"
        raise InputError(f"Ray cannot be started on this machine ({seen}); --executor inline does without") from error


def _join(address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"--address {address}: cannot join this Ray cluster: {error}") from error


def _alive() -> dict[str, dict[str, float]]:
    """Resources of the nodes that Ray takes for alive, by their ids."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}


def _ready(streams: Collection[ObjectRefGenerator], *, wait: bool) -> list[ObjectRefGenerator]:
    """The streams that have a message; with ``wait``, the first of them that has one within a second."""
    if not streams:
        return []
    wanted, seconds = (1, 1.0) if wait else (len(streams), 0)
    ready: list[ObjectRefGenerator]
    ready, _ = ray.wait(list(streams), num_returns=wanted, timeout=seconds, fetch_local=False)
    return ready
