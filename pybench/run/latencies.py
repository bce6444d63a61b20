"""Measures latencies and saves them: those of a run whose trials have ended, or those of a plan by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pybench.executors import Executor
from pybench.latency.measure import measuring_code
from pybench.planning.plan import Plan
from pybench.planning.suite import LATENCY_OF_PROFILE, LatencyProtocol, TrialLimits, is_suite
from pybench.planning.trial_list import SpecList
from pybench.records import Latency, LatencyFailure
from pybench.results.flat import filtered
from pybench.results.store import Store, find_runs
from pybench.run.job_factory import JobFactory
from pybench.spec import TrialSpec
from pybench.types import InputError


class MeasureListener(Protocol):
    """Follows measurements."""

    def measuring(self, spec: TrialSpec) -> None:
        """Before a measurement."""
        ...

    def latency(self, latency: Latency | LatencyFailure) -> None:
        """After a measurement."""
        ...


def measure_each(
    specs: Iterable[TrialSpec],
    protocol: LatencyProtocol,
    jobs: JobFactory,
    executor: Executor,
    *,
    force: bool,
    listener: MeasureListener,
) -> None:
    """Measure and save what the store does not hold yet for this code; everything with ``force``.

    Raises:
        InputError: data or weights are missing, or a latency cannot be written.
    """
    for spec in specs:
        job = jobs.make(spec)
        if not force and jobs.store.latency(spec, job.code_version, measuring_code()) is not None:
            continue
        listener.measuring(spec)
        latency = executor.measure(job, protocol)
        jobs.store.write_latency(latency)
        listener.latency(latency)


def measure_plan(
    plan: Plan, store: Store, executor: Executor, *, force: bool, listener: MeasureListener
) -> list[Latency | LatencyFailure]:
    """Measure the latencies of a plan without running its trials, each on its largest category; returns them all.

    Raises:
        InputError: as ``measure_each``.
    """
    jobs = JobFactory(plan, store)
    protocol = plan.latency or LATENCY_OF_PROFILE[plan.profile]
    jobs.check()
    specs = jobs.representatives()
    measure_each(specs, protocol, jobs, executor, force=force, listener=listener)
    saved = {latency.key: latency for latency in store.latencies()}
    return [saved[key] for spec in specs if (key := spec.latency_key()) in saved]


def plan_of_run(store: Store, profile: str | None, filters: dict[str, str], data_root: Path | None) -> Plan:
    """A plan of a run's trials that ended well, to measure them.

    Args:
        store: the run.
        profile: decides how long is measured; None takes the trials' own.
        filters: as for ``results.flat.filtered``.
        data_root: folder that holds one folder per dataset.

    Raises:
        InputError: a filter that cannot be used, or no trial left.
    """
    records = [result.record for result in filtered(store.results(), filters) if result.record.status == "ok"]
    if not records:
        raise InputError(f"{store.folder}: no trial of this run ended well")
    spec = records[0].spec
    return Plan(
        suite=spec.suite,
        title=spec.suite,
        profile=profile or spec.profile,
        specs=SpecList(record.spec for record in records),
        latency=LATENCY_OF_PROFILE[profile or spec.profile],
        limits=TrialLimits(),
        data_root=data_root,
        notes=(),
    )


def find_run(name: str) -> Store | None:
    """The run that is meant where a suite or a run may be named: a folder with records, or a name below ``results``
    that no suite has; None for a suite.

    Raises:
        InputError: a folder that holds several runs, or none.
    """
    if not Path(name).is_dir() and (is_suite(name) or not (Path("results") / name).is_dir()):
        return None
    runs = find_runs(name)
    if len(runs) > 1:
        names = ", ".join(str(run.folder) for run in runs)
        raise InputError(f"{name}: holds {len(runs)} runs; name one: {names}")
    return runs[0]
