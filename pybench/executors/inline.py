"""Runs trials one after another in this process, for debugging and for machines without Ray's ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybench.latency.measure import measure
from pybench.machine.machine_lock import machine_lock
from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, Outcome
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial


class InlineExecutor:
    """The simplest executor: no other process, so a crash of a method is a crash of the run."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            with machine_lock(exclusive=False):
                outcome = run_trial(job)
            yield outcome

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
        return measure(job, protocol)

    def close(self) -> None:
        return
