"""The main loop: which trials are still to run, run them, keep every record as it comes, then measure latencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from threading import Lock
from typing import Any, Protocol

from pybench import data, feature_cache, registry, strict_yaml
from pybench.code_version import code_version
from pybench.commits import Commits
from pybench.executors import Executor
from pybench.images import fingerprint
from pybench.lookahead import LookAhead
from pybench.plan import Plan
from pybench.records import Latency, Record, Result, TrialSpec
from pybench.store import Store
from pybench.trial import Job
from pybench.types import Dataset, InputError, Method


class Listener(Protocol):
    """Is told how a run goes on; the progress display is one."""

    def started(self, total: int) -> None: ...

    def handed(self, spec: TrialSpec) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None: ...

    def measuring(self, spec: TrialSpec) -> None: ...

    def latency(self, latency: Latency) -> None: ...


def run(
    plan: Plan, store: Store, make_executor: Callable[[], Executor], *, force: bool, listener: Listener
) -> list[Result]:
    """Run what the store does not hold yet (everything with ``force``), and return the results of the whole plan.

    Only this process writes records, and tells of each when it is on the disk, so a run that is interrupted goes on
    where it stopped. The executor is made when the first trial needs it.

    Raises:
        InputError: data or weights are missing, and nothing has been run then; or a record cannot be written.
    """
    jobs = _Jobs(plan, store)
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
                store.forget(spec.key(), job.fingerprint, job.code_version, job.assets)
            ended.handed(spec)
            yield job

    try:
        pending = unfinished()
        first = next(pending, None)
        if first is not None:
            executor = make_executor()
            with Commits(store, partial(ended.add, reused=False)) as commits:
                for outcome in executor.run(chain([first], pending)):
                    commits.put(outcome)
        for spec in ended.to_measure():
            job = jobs.make(spec)
            if not force and store.latency(spec, job.code_version) is not None:
                continue
            executor = executor or make_executor()
            listener.measuring(spec)
            assert plan.latency is not None
            latency = executor.measure(job, plan.latency)
            store.write_latency(latency)
            listener.latency(latency)
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
        self._largest: dict[str, tuple[tuple[Any, ...], TrialSpec]] = {}  # by latency key

    def handed(self, spec: TrialSpec) -> None:
        with self._lock:
            self._listener.handed(spec)

    def add(self, record: Record, *, reused: bool) -> None:
        with self._lock:
            self._listener.trial(record, reused=reused)
            if self._measures and record.status == "ok":
                spec = record.spec
                # With equally many images the first by name, whichever ended first.
                rank = -record.counts["train"], spec.category, spec.data_seed, spec.seed
                rival = self._largest.get(key := spec.latency_key())
                if rival is None or rank < rival[0]:
                    self._largest[key] = rank, spec

    def to_measure(self) -> list[TrialSpec]:
        """One trial of all that share a latency: the one with the most training images."""
        return [spec for _, spec in self._largest.values()]


class _Jobs:
    """Makes jobs from specs; what several specs have in common is computed once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self._fingerprints: dict[str, str] = {}
        self._assets: dict[str, dict[str, str]] = {}

    def check(self) -> None:
        """See that weights, data and settings can be used before anything runs; generated data is made when it is
        needed."""
        feature_cache.limit()
        for spec in self.plan.specs.of_each_method():
            self._assets_of(spec)
        for spec in {(spec.dataset, spec.category): spec for spec in self.plan.specs.of_each_category()}.values():
            cls: type[Dataset] = registry.load("dataset", spec.dataset)
            if not cls.generated:
                data.check(spec, self.plan.data_root)

    def is_of(self, record: Record) -> bool:
        """Whether a record need not be made again: it ended well, on the same data, code and weights."""
        made_of = (record.fingerprint, record.code_version, record.assets)
        return record.status in ("ok", "skipped") and made_of == self._made_of(record.spec)

    def make(self, spec: TrialSpec) -> Job:
        """The job of a spec, with the fingerprint of its data."""
        of_result = self._made_of(spec)
        place, limits = self.store.place(spec.key(), *of_result), self.plan.limits
        return Job(
            spec,
            self.plan.data_root,
            registry.plugin_folders(),
            *of_result,
            underway=place.absolute(),
            minutes=limits.minutes,
            gpus=limits.gpus,
            memory_gb=limits.memory_gb,
        )

    def _made_of(self, spec: TrialSpec) -> tuple[str, str, dict[str, str]]:
        """Fingerprint of the data, code version and weights."""
        fields = {"dataset", "category", "dataset_options", "rto", "data_seed", "protocol", "evaluate_on"}
        identity = spec.model_dump_json(include=fields)
        if identity not in self._fingerprints:
            samples = data.load(spec, self.plan.data_root)
            self._fingerprints[identity] = fingerprint([*samples.train, *samples.test])
        return self._fingerprints[identity], code_version(spec), self._assets_of(spec)

    def _assets_of(self, spec: TrialSpec) -> dict[str, str]:
        identity = spec.model_dump_json(include={"method", "params"})
        if identity not in self._assets:
            cls: type[Method] = registry.load("method", spec.method)
            try:
                self._assets[identity] = cls.prepare(strict_yaml.validate(cls.Params, spec.params))
            except InputError as error:
                raise InputError(f"{spec.method}: {error}") from error
        return self._assets[identity]
