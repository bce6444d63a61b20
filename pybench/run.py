"""The main loop: which trials are still to run, run them, keep every record as it comes, then measure latencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from pybench import data, registry, strict_yaml
from pybench.code_version import code_version
from pybench.executors import Executor
from pybench.images import fingerprint
from pybench.plan import Plan
from pybench.records import Latency, Record, Result, TrialSpec
from pybench.store import Store
from pybench.trial import Job
from pybench.types import Dataset, InputError, Method


class Listener(Protocol):
    """Is told how a run goes on; the progress display is one."""

    def started(self, total: int) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None: ...

    def measuring(self, spec: TrialSpec) -> None: ...

    def latency(self, latency: Latency) -> None: ...


def run(
    plan: Plan, store: Store, make_executor: Callable[[], Executor], *, force: bool, listener: Listener
) -> list[Result]:
    """Run what the store does not hold yet (everything with ``force``), and return the results of the whole plan.

    Only this process writes records, each as soon as its trial ends, so a run that is interrupted goes on where it
    stopped. The executor is made when the first trial needs it.

    Raises:
        InputError: data or weights are missing; nothing has been run then.
    """
    jobs = _Jobs(plan, store)
    jobs.check()
    listener.started(len(plan.specs))
    executor: Executor | None = None
    records: dict[str, Record] = {}

    def unfinished() -> Iterator[Job]:
        for spec in plan.specs:
            job = jobs.make(spec)
            record = None if force else store.finished(spec, job.fingerprint, job.code_version, job.assets)
            if record is None:
                if force:
                    store.forget(spec, job.fingerprint, job.code_version, job.assets)
                yield job
            else:
                records[record.key] = record
                listener.trial(record, reused=True)

    try:
        pending = unfinished()
        first = next(pending, None)
        if first is not None:
            executor = make_executor()
            for outcome in executor.run(_chain(first, pending)):
                record = store.write(outcome.record, outcome.arrays, outcome.examples)
                records[record.key] = record
                listener.trial(record, reused=False)
        for job in _to_measure(plan, jobs, store, records, force=force):
            executor = executor or make_executor()
            listener.measuring(job.spec)
            assert plan.latency is not None
            latency = executor.measure(job, plan.latency)
            store.write_latency(latency)
            listener.latency(latency)
    finally:
        if executor is not None:
            executor.close()
    keys = {spec.key() for spec in plan.specs}
    return [result for result in store.results() if result.record.key in keys]


class _Jobs:
    """Makes jobs from specs; what several specs have in common is computed once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self._fingerprints: dict[str, str] = {}
        self._assets: dict[str, dict[str, str]] = {}

    def check(self) -> None:
        """See that weights and data are there before anything runs; generated data is made when it is needed."""
        for spec in self.plan.specs:
            self._assets_of(spec)
        for spec in {(spec.dataset, spec.category, spec.evaluate_on): spec for spec in self.plan.specs}.values():
            cls: type[Dataset] = registry.load("dataset", spec.dataset)
            if not cls.generated:
                data.check(spec, self.plan.data_root)

    def make(self, spec: TrialSpec) -> Job:
        """The job of a spec, with the fingerprint of its data."""
        identity = spec.model_dump_json(
            include={"dataset", "category", "dataset_options", "rto", "data_seed", "protocol", "evaluate_on"}
        )
        if identity not in self._fingerprints:
            samples = data.load(spec, self.plan.data_root)
            self._fingerprints[identity] = fingerprint([*samples.train, *samples.test])
        of_result = (self._fingerprints[identity], code_version(spec), self._assets_of(spec))
        place = self.store.place(spec, *of_result)
        return Job(
            spec, self.plan.data_root, registry.plugin_folders(), *of_result, place.absolute(), self.plan.limits.minutes
        )

    def _assets_of(self, spec: TrialSpec) -> dict[str, str]:
        cls: type[Method] = registry.load("method", spec.method)
        params = strict_yaml.validate(cls.Params, spec.params)
        identity = f"{spec.method} {params.model_dump_json()}"
        if identity not in self._assets:
            try:
                self._assets[identity] = cls.prepare(params)
            except InputError as error:
                raise InputError(f"{spec.method}: {error}") from error
        return self._assets[identity]


def _to_measure(plan: Plan, jobs: _Jobs, store: Store, records: dict[str, Record], *, force: bool) -> Iterator[Job]:
    """One job per latency that is not there yet: the trial with the most training images among those that share it."""
    if plan.latency is None:
        return
    largest: dict[str, TrialSpec] = {}
    for spec in plan.specs:
        record = records.get(spec.key())
        if record is None or record.status != "ok":
            continue
        rival = largest.get(spec.latency_key())
        if rival is None or record.counts["train"] > records[rival.key()].counts["train"]:
            largest[spec.latency_key()] = spec
    for spec in largest.values():
        job = jobs.make(spec)
        if force or store.latency(spec, job.code_version) is None:
            yield job


def _chain(first: Job, rest: Iterator[Job]) -> Iterator[Job]:
    yield first
    yield from rest
