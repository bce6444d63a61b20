"""Runs a plan in this process, and keeps the calls of its listener."""

from __future__ import annotations

from pathlib import Path

from pybench.executors.inline import InlineExecutor
from pybench.planning.plan import Plan
from pybench.records import Latency, LatencyFailure, Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from pybench.spec import TrialSpec


class Log:
    """A listener that keeps the keys of trials and the methods that were measured."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reused: list[str] = []
        self.measured: list[str] = []

    def started(self, total: int) -> None:
        self.total = total

    def handed(self, spec: TrialSpec) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None:
        (self.reused if reused else self.ran).append(record.key)

    def measuring(self, spec: TrialSpec) -> None:
        self.measured.append(spec.method)

    def latency(self, latency: Latency | LatencyFailure) -> None:
        pass


def go(planned: Plan, folder: Path, *, force: bool = False) -> tuple[dict[str, Record], Log]:
    log = Log()
    results = run(planned, Store(folder), InlineExecutor(), force=force, listener=log)
    return {f"{result.record.spec.category}/{result.record.spec.method}": result.record for result in results}, log
