"""The main loop: run the trials that are left, save every record as it comes, then measure latencies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from threading import Lock
from typing import Protocol

from pybench.executors import Executor
from pybench.planning.plan import Plan
from pybench.records import Record, Result
from pybench.results.store import Store
from pybench.results.writer import RecordWriter
from pybench.run.job_factory import JobFactory
from pybench.run.latencies import MeasureListener, measure_each
from pybench.run.order import LongestFirst
from pybench.run.representatives import Representatives
from pybench.spec import TrialSpec
from pybench.trial.job import Job


class Listener(MeasureListener, Protocol):
    """Follows a run; the progress display is one."""

    def started(self, total: int) -> None:
        """Before the first trial, with the number of trials."""
        ...

    def handed(self, spec: TrialSpec) -> None:
        """When a trial is handed to the executor."""
        ...

    def trial(self, record: Record, *, reused: bool) -> None:
        """When a trial's record is on the disk; ``reused`` if an earlier run has put it there."""
        ...


def run(plan: Plan, store: Store, executor: Executor, *, force: bool, listener: Listener) -> list[Result]:
    """Run what the store does not hold yet (everything with ``force``), and return the results of the whole plan.

    Only this process writes records, and the listener is called when a record is on the disk, so a run that is
    interrupted goes on where it stopped. The executor is not closed.

    Raises:
        InputError: data or weights are missing, and nothing has been run then; or a record cannot be written.
    """
    jobs = JobFactory(plan, store)
    jobs.check()
    listener.started(len(plan.specs))
    progress = _Progress(plan, listener)

    def earlier(spec: TrialSpec) -> tuple[Record | None, bool]:
        record = store.record(spec)
        finished = record is not None and not force and jobs.is_current(record)
        if record is not None and finished:
            progress.ended(record, reused=True)
        return record, finished

    def remaining() -> Iterator[Job]:
        for spec in LongestFirst(plan.specs, earlier):
            job = jobs.make(spec)
            if force:
                store.remove_progress(spec.key(), job.fingerprint, job.code_version, job.assets)
            progress.handed(spec)
            yield job

    pending = remaining()
    first = next(pending, None)
    if first is not None:
        with RecordWriter(store, partial(progress.ended, reused=False)) as commits:
            for outcome in executor.run(chain([first], pending)):
                commits.put(outcome)
    if plan.latency is not None:
        measure_each(progress.to_measure(), plan.latency, jobs, executor, force=force, listener=listener)
    keys = {spec.key() for spec in plan.specs}
    return [result for result in store.results() if result.record.key in keys]


class _Progress:
    """Passes the events of trials to the listener, from whichever thread, and collects the trials to measure."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self._listener, self._measures = listener, plan.latency is not None
        self._lock = Lock()
        self._representatives = Representatives()

    def handed(self, spec: TrialSpec) -> None:
        with self._lock:
            self._listener.handed(spec)

    def ended(self, record: Record, *, reused: bool) -> None:
        with self._lock:
            self._listener.trial(record, reused=reused)
            if self._measures and record.status == "ok":
                self._representatives.add(record.spec, record.counts["train"])

    def to_measure(self) -> list[TrialSpec]:
        """One trial of all that share a latency: the one with the most training images."""
        return self._representatives.specs()
