"""An executor that is made when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from pybench.executors import Executor
from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, Outcome
from pybench.trial.job import Job


class LazyExecutor:
    """Makes an executor for its first job and closes it once: Ray takes seconds to start, and a run may have nothing
    left to do. A context manager that closes it.

    Args:
        make: makes the executor.
    """

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._made: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        return self._executor().run(jobs)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
        return self._executor().measure(job, protocol)

    def close(self) -> None:
        """Close the executor if it was made."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _executor(self) -> Executor:
        self._made = self._made or self._make()
        return self._made
