"""The main loop: which trials are still to run, run them, keep every record as it comes, then measure latencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from threading import Lock
from typing import Protocol

from pybench.executors import Executor
from pybench.planning.plan import Plan
from pybench.records import Record, Result
from pybench.results.store import Store
from pybench.results.writer import RecordWriter
from pybench.run.job_factory import Jobs
from pybench.run.latencies import MeasureListener, measure_each
from pybench.run.order import LookAhead
from pybench.spec import TrialSpec
from pybench.trial import fitted_states
from pybench.trial.job import Job


class Listener(MeasureListener, Protocol):
    """Is told how a run goes on; the progress display is one."""

    def started(self, total: int) -> None: ...

    def handed(self, spec: TrialSpec) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None: ...


def run(
    plan: Plan, store: Store, make_executor: Callable[[], Executor], *, force: bool, listener: Listener
) -> list[Result]:
    """Run what the store does not hold yet (everything with ``force``), and return the results of the whole plan.

    Only this process writes records, and tells of each when it is on the disk, so a run that is interrupted goes on
    where it stopped. The executor is made when the first trial needs it.

    Raises:
        InputError: data or weights are missing, and nothing has been run then; or a record cannot be written.
    """
    jobs = Jobs(plan, store)
    jobs.check()
    listener.started(len(plan.specs))
    ended = _Ended(plan, listener)
    executor: Executor | None = None

    def earlier(spec: TrialSpec) -> tuple[Record | None, bool]:
        record = store.record(spec)
        finished = record is not None and not force and jobs.is_of(record)
        if record is not None and finished:
            ended.add(record, reused=True)
        return record, finished

    def unfinished() -> Iterator[Job]:
        for spec in LookAhead(plan.specs, earlier):
            job = jobs.make(spec)
            if force:
                store.remove_progress(spec.key(), job.fingerprint, job.code_version, job.assets)
            ended.handed(spec)
            yield job

    def the_executor() -> Executor:
        nonlocal executor
        executor = executor or make_executor()
        return executor

    try:
        pending = unfinished()
        first = next(pending, None)
        if first is not None:
            with RecordWriter(store, partial(ended.add, reused=False)) as writer:
                for outcome in the_executor().run(chain([first], pending)):
                    writer.put(outcome)
        if plan.latency is not None:
            measure_each(ended.to_measure(), plan.latency, jobs, the_executor, force=force, listener=listener)
    finally:
        if executor is not None:
            executor.close()
    keys = {spec.key() for spec in plan.specs}
    return [result for result in store.results() if result.record.key in keys]


class _Ended:
    """Tells of trials, from whichever thread, and remembers whose latency stands for the others'."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self._listener, self._measures = listener, plan.latency is not None
        self._lock = Lock()
        self._largest: dict[str, tuple[fitted_states.Rank, TrialSpec]] = {}  # by latency key

    def handed(self, spec: TrialSpec) -> None:
        with self._lock:
            self._listener.handed(spec)

    def add(self, record: Record, *, reused: bool) -> None:
        with self._lock:
            self._listener.trial(record, reused=reused)
            if self._measures and record.status == "ok":
                spec = record.spec
                rank = fitted_states.rank(spec, record.counts["train"])
                rival = self._largest.get(key := spec.latency_key())
                if rival is None or rank < rival[0]:
                    self._largest[key] = rank, spec

    def to_measure(self) -> list[TrialSpec]:
        """One trial of all that share a latency: the one with the most training images."""
        return [spec for _, spec in self._largest.values()]
