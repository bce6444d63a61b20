"""Runs trials as tasks on a Ray cluster: one that is started for this run, or one that is joined."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator

# Before ray is imported, which reads them: no usage report, no warning about a start-up default that we do not touch.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from pybench.environment import usable_cores
from pybench.latency import measure, node_lock
from pybench.records import Latency, Status
from pybench.suite import LatencyProtocol
from pybench.trial import Job, Outcome, now, run_trial, unfinished
from pybench.types import InputError

_RETRIES = 3  # of a task whose worker or node died


class RayExecutor:
    """Keeps a bounded window of tasks in flight, so that jobs are made no earlier than they are needed.

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
        self._trial = ray.remote(max_retries=_RETRIES)(_locked_trial)
        self._latency = ray.remote(max_retries=0)(measure)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        waiting, exhausted = iter(jobs), False
        in_flight: dict[ray.ObjectRef[Outcome], tuple[Job, str]] = {}
        try:
            while True:
                room = not exhausted and len(in_flight) < self._window(in_flight)
                # An outcome goes out before the next job is made, which may draw images: a kill must not lose it.
                done = ray.wait(list(in_flight), num_returns=1, timeout=0 if room else None)[0] if in_flight else []
                if done:
                    yield self._outcome(done[0], *in_flight.pop(done[0]))
                elif not room:
                    return
                elif (job := next(waiting, None)) is None:
                    exhausted = True
                else:
                    in_flight[self._submit(job)] = (job, now())
        finally:
            for reference in in_flight:
                ray.cancel(reference, force=True)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency:
        node = max(
            (node["Resources"] for node in ray.nodes() if node["Alive"]), key=lambda resources: resources.get("CPU", 0)
        )
        whole = self._latency.options(num_cpus=node.get("CPU", 1), num_gpus=node.get("GPU", 0))
        latency: Latency = ray.get(whole.remote(job, protocol))
        return latency

    def close(self) -> None:
        ray.shutdown()

    def _submit(self, job: Job) -> ray.ObjectRef[Outcome]:
        resources = job.spec.resources
        gpus = 1 if resources.device == "cuda" else 0
        return self._trial.options(num_cpus=resources.threads, num_gpus=gpus).remote(job)

    @staticmethod
    def _window(in_flight: dict[ray.ObjectRef[Outcome], tuple[Job, str]]) -> int:
        """Enough tasks to fill the cluster, and as many again that wait on it."""
        threads = min((job.spec.resources.threads for job, _ in in_flight.values()), default=1)
        return 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)

    @staticmethod
    def _outcome(reference: ray.ObjectRef[Outcome], job: Job, started: str) -> Outcome:
        try:
            outcome: Outcome = ray.get(reference)
        except RayTaskError:
            raise  # run_trial catches what a method raises: this is a defect of pybench, and must be seen
        except RayError as error:
            status: Status = "out_of_memory" if isinstance(error, OutOfMemoryError) else "failed"
            reason = f"its worker died {_RETRIES + 1} times ({type(error).__name__})"
            return Outcome(unfinished(job, started, status, reason, str(error)))
        return outcome


def _locked_trial(job: Job) -> Outcome:
    with node_lock(exclusive=False):
        return run_trial(job)
