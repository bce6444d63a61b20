"""Where trials run: in this process (``inline``) or on a Ray cluster (``ray``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, Outcome
from pybench.trial.job import Job


class Executor(Protocol):
    """Runs jobs. Jobs are taken from their iterable only when there is room for them."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Outcomes in the order in which trials end; a trial that dies with its process gives one too."""
        ...

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
        """Measure latency alone on a machine, with all its cores. An error is returned as a ``LatencyFailure``."""
        ...

    def close(self) -> None:
        """End what this executor started."""
        ...
