"""The search: a seeded sampler proposes parameters, trials on validation data value them, budgets grow with promise.

A sample is as many ordinary trials as the plan has of categories and seeds, run by the main loop: each has a key and a
record, and the store is all the memory that a search has. Started again, it draws the same samples and finds those that
are finished. So that this holds on any executor, samples are proposed in batches of a fixed size, and the sampler
learns of a batch in the order in which it was proposed, whichever trial ends first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Literal, Protocol

import optuna
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState
from pydantic import ValidationError

from pybench import registry
from pybench.executors import Executor
from pybench.planning import strict_yaml
from pybench.planning.plan import Plan
from pybench.planning.search_space import Space, has_fidelity, scaled
from pybench.planning.suite import LatencyProtocol
from pybench.planning.trial_list import ListedSpecs
from pybench.records import Latency, LatencyFailure, Outcome, Result
from pybench.results import constraints, pareto
from pybench.results.constraints import Limit
from pybench.results.store import Store
from pybench.run import run_plan
from pybench.trial.job import Job
from pybench.trial.samples import labels_read
from pybench.types import Method

RUNGS = (1 / 9, 1 / 3)  # shares of the budget with which a sample is tried before it gets all of it
KEPT = 1 / 3  # of the samples that reached a rung go on from it (successive halving)
_RANDOM_SAMPLES = 8  # before the sampler draws on what it has learnt
# Of each sample, where latency is limited.
_MEASUREMENT = LatencyProtocol(calls=128, seconds=5, processes=1, batch_sizes=())

State = Literal["complete", "stopped", "failed", "refused"]


@dataclass
class Sample:
    """Parameters that were tried and what came of it; number 1 are the defaults.

    ``stopped`` was left at a rung by better ones, ``refused`` is a combination that the method does not take. ``rungs``
    are values of the first metric at shares of the budget, ``values`` those of all metrics at the whole of it, means
    over the trials; ``measured`` are the quantities of ``limits.QUANTITIES``, empty where latency was not measured.
    """

    number: int
    changes: dict[str, Any]
    params: dict[str, Any]
    state: State = "complete"
    reason: str = ""
    rungs: list[float] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    test_labels_read: int = 0

    @property
    def is_default(self) -> bool:
        """Whether these are the parameters from which the search starts."""
        return self.number == 1


@dataclass(frozen=True)
class Settings:
    """What is asked of a search. ``metrics`` are objectives, the first of them chooses the best."""

    metrics: tuple[str, ...]
    limits: tuple[Limit, ...]
    samples: int
    batch: int
    seed: int


class Listener(run_plan.Listener, Protocol):
    """Is told how a search goes on."""

    def sample(self, sample: Sample, best: Sample | None) -> None: ...


class Search:
    """Looks for parameters of the plan's one method.

    Args:
        plan: trials with the method's default parameters, on the data that the objective is measured on.
        space: what is searched.
        settings: what is asked for.
        store: keeps the records.
        make_executor: is called when the first trial has to run.
        listener: is told how it goes on.
    """

    def __init__(
        self,
        plan: Plan,
        space: Space,
        settings: Settings,
        store: Store,
        make_executor: Callable[[], Executor],
        listener: Listener,
    ) -> None:
        self.plan, self.space, self.settings, self.store, self.listener = plan, space, settings, store, listener
        self.samples: list[Sample] = []
        self.method: type[Method] = registry.load("method", plan.specs[0].method)
        self.labels_read_here = 0
        self._executor = _Lasting(make_executor)
        self._rungs = RUNGS if has_fidelity(self.method.Params) else ()
        self._at_rung: list[list[float]] = [[] for _ in self._rungs]
        self._upward = [bool(registry.load("metric", name).higher_is_better) for name in settings.metrics]
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = TPESampler(seed=settings.seed, n_startup_trials=_RANDOM_SAMPLES, constant_liar=True)
        up, down = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
        directions = [*(up if is_upward else down for is_upward in self._upward), *(down for _ in settings.limits)]
        self._study = optuna.create_study(sampler=sampler, directions=directions)

    def run(self, keep: Callable[[], object]) -> None:
        """Try samples, the defaults first; ``keep`` is called after each batch.

        Raises:
            InputError: data or weights are missing.
        """
        before = labels_read()
        try:
            while len(self.samples) < self.settings.samples:
                self._batch(min(self.settings.batch, self.settings.samples - len(self.samples)))
                self.labels_read_here = labels_read() - before
                keep()
            self._measure_what_is_shown()
            self.labels_read_here = labels_read() - before
            keep()
        finally:
            self._executor.end()

    @property
    def defaults(self) -> Sample:
        """The first sample."""
        return self.samples[0]

    @property
    def best(self) -> Sample | None:
        """The sample that is best by the first metric and keeps all limits, the earliest of equals."""
        return max(self._candidates(), key=lambda sample: self._goodness(sample)[0], default=None)

    @property
    def front(self) -> list[Sample]:
        """The samples that keep all limits and are not beaten in everything: metrics, and what is limited."""
        candidates = self._candidates()
        return [candidates[position] for position in pareto.front([self._goodness(one) for one in candidates])]

    def _candidates(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.state == "complete" and self.is_feasible(sample)]

    def is_feasible(self, sample: Sample) -> bool:
        """Whether a complete sample keeps all limits."""
        return all(limit.excess(sample.measured) <= 0 for limit in self.settings.limits)

    def _goodness(self, sample: Sample) -> tuple[float, ...]:
        """Its values and what is limited, each turned so that more is better."""
        metrics = zip(self.settings.metrics, self._upward, strict=True)
        return (
            *(sample.values[name] if up else -sample.values[name] for name, up in metrics),
            *(-sample.measured[limit.quantity] for limit in self.settings.limits),
        )

    # --- a batch ----------------------------------------------------------------------------------------------------

    def _batch(self, count: int) -> None:
        drawn = [self._first() if not self.samples and not index else self._draw(index) for index in range(count)]
        batch = [sample for sample, _ in drawn]
        going = [sample for sample in batch if sample.state == "complete"]
        for rung, share in enumerate(self._rungs):
            going = self._climb(going, rung, share)
        for sample, results in self._tried(going, share=1, latency=_MEASUREMENT if self.settings.limits else None):
            if sample.state == "complete" and self.settings.limits:
                self._take_latencies(sample, results)
        for sample, trial in drawn:
            self.samples.append(sample)
            if trial is not None:
                self._tell(trial, sample)
            self.listener.sample(sample, self.best)

    def _first(self) -> tuple[Sample, optuna.Trial | None]:
        """The defaults; the sampler learns of them where they lie in its space."""
        params = self.plan.specs[0].params
        changes = {name: params[name] for name in self.space}
        trial = None
        if all(changes[name] in part for name, part in self.space.items()):
            self._study.enqueue_trial({name: part.encoded(changes[name]) for name, part in self.space.items()})
            trial = self._study.ask()
            for name, part in self.space.items():
                part.draw(name, trial)
        return Sample(1, changes, params), trial

    def _draw(self, index: int) -> tuple[Sample, optuna.Trial]:
        trial = self._study.ask()
        changes = {name: part.draw(name, trial) for name, part in self.space.items()}
        sample = Sample(len(self.samples) + index + 1, changes, {**self.plan.specs[0].params, **changes})
        try:
            sample.params = strict_yaml.validate(self.method.Params, sample.params).model_dump(mode="json")
        except ValidationError as error:
            problems = strict_yaml.problems(error, self.method.Params)
            sample.state, sample.reason = "refused", "; ".join(text for _, text in problems)
        return sample, trial

    def _climb(self, samples: list[Sample], rung: int, share: float) -> list[Sample]:
        """Try samples with a share of their budget; those that go on. The defaults do anyway."""
        climbing = [sample for sample in samples if not sample.is_default]
        first, up = self.settings.metrics[0], self._upward[0]
        for sample, _ in self._tried(climbing, share, latency=None):
            if sample.state == "complete":
                value, sample.values = sample.values[first], {}
                sample.rungs.append(value)
                self._at_rung[rung].append(value if up else -value)
        ranked = sorted(self._at_rung[rung], reverse=True)
        worst = -math.inf if len(ranked) * KEPT < 1 else ranked[math.ceil(len(ranked) * KEPT) - 1]
        for sample in climbing:
            if sample.state == "complete" and (sample.rungs[-1] if up else -sample.rungs[-1]) < worst:
                sample.state, sample.reason = "stopped", f"at {share:.0%} of the budget others did better"
        return [sample for sample in samples if sample.state == "complete"]

    def _tell(self, trial: optuna.Trial, sample: Sample) -> None:
        if sample.state == "complete":
            for limit in self.settings.limits:
                trial.set_constraint(str(limit), limit.excess(sample.measured))
            measured = [sample.measured[limit.quantity] for limit in self.settings.limits]
            self._study.tell(trial, [*(sample.values[name] for name in self.settings.metrics), *measured])
        elif sample.state == "stopped":
            if len(self._study.directions) == 1:  # the sampler takes reports of single objectives only
                for step, value in enumerate(sample.rungs):
                    trial.report(value, step)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    # --- trials -----------------------------------------------------------------------------------------------------

    def _tried(
        self, samples: Sequence[Sample], share: float, latency: LatencyProtocol | None
    ) -> list[tuple[Sample, list[Result]]]:
        """Run the trials of samples with a share of their budget, and give each sample its values."""
        specs = {
            sample.number: [
                spec.model_copy(update={"params": self._at_share(sample.params, share)}) for spec in self.plan.specs
            ]
            for sample in samples
        }
        every = {spec.key(): spec for of_sample in specs.values() for spec in of_sample}
        if not every:
            return []
        plan = replace(self.plan, specs=ListedSpecs(every.values()), latency=latency)
        results = run_plan.run(plan, self.store, self._executor, force=False, listener=self.listener)
        by_key = {result.record.key: result for result in results}
        tried = [(sample, [by_key[spec.key()] for spec in specs[sample.number]]) for sample in samples]
        for sample, own in tried:
            self._take_values(sample, own)
        return tried

    def _at_share(self, params: dict[str, Any], share: float) -> dict[str, Any]:
        if share == 1:
            return params
        model = self.method.Params
        return strict_yaml.validate(model, scaled(params, model, share)).model_dump(mode="json")

    def _take_values(self, sample: Sample, results: Sequence[Result]) -> None:
        records = [result.record for result in results]
        sample.keys += [record.key for record in records if record.key not in sample.keys]
        sample.test_labels_read += sum(record.counts.get("test_labels_read", 0) for record in records)
        for record in records:
            undefined = [name for name in self.settings.metrics if record.metrics.get(name) is None]
            if record.status != "ok":
                sample.state, sample.reason = "failed", f"{record.spec.category}: {record.status}: {record.reason}"
            elif undefined:
                why = record.undefined.get(undefined[0], "")
                sample.state, sample.reason = "failed", f"{record.spec.category}: {undefined[0]} is undefined: {why}"
        if sample.state == "complete":
            sample.values = {
                name: fmean(value for record in records if (value := record.metrics[name]) is not None)
                for name in self.settings.metrics
            }

    def _take_latencies(self, sample: Sample, results: Sequence[Result]) -> None:
        """What was measured; where that failed, a sample fails that has to keep limits."""
        failures = [result.latency_failure for result in results if result.latency_failure is not None]
        if not failures:
            sample.measured = constraints.measured([result.latency for result in results if result.latency is not None])
        elif self.settings.limits:
            sample.state, sample.reason = "failed", f"latency: {failures[0].status}: {failures[0].reason}"

    def _measure_what_is_shown(self) -> None:
        """Where nothing is limited, only the defaults and the front are measured, if the suite measures at all."""
        shown = {sample.number: sample for sample in [self.defaults, *self.front] if sample.state == "complete"}
        if self.plan.latency is not None and not self.settings.limits:
            # Values are those of the same records as before.
            again = [replace(sample) for sample in shown.values()]
            for copy, results in self._tried(again, share=1, latency=self.plan.latency):
                self._take_latencies(shown[copy.number], results)


class _Lasting:
    """Makes an executor when it is first needed, and keeps it from one run to the next: Ray takes seconds to start."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._made: Executor | None = None

    def __call__(self) -> Executor:
        return self

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        return self._executor().run(jobs)

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
        return self._executor().measure(job, protocol)

    def _executor(self) -> Executor:
        self._made = self._made or self._make()
        return self._made

    def close(self) -> None:
        """A run's end is not the search's."""

    def end(self) -> None:
        """End what was started."""
        if self._made is not None:
            self._made.close()
