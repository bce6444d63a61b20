"""The search: a seeded sampler proposes candidates, trials evaluate them, and only the best get their whole budget.

A candidate is as many ordinary trials as the plan has of categories and seeds, run by the main loop: each has a key and
a record, and the store is the only state of a search. Started again, a search proposes the same candidates and finds
the records of those that are finished. So that this holds on any executor, candidates are proposed in batches of a
fixed size, and the sampler learns from a batch in the order in which it was proposed, whichever trial ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import ValidationError

from pybench import registry
from pybench.executors import Executor
from pybench.planning import strict_yaml
from pybench.planning.plan import Plan
from pybench.planning.search_space import Space, has_fidelity
from pybench.planning.suite import LatencyProtocol
from pybench.results.store import Store
from pybench.run import run_plan
from pybench.search.candidate import Candidate
from pybench.search.evaluation import Evaluation
from pybench.search.halving import RUNGS, Halving
from pybench.search.ranking import Ranking
from pybench.search.sampler import Sampler
from pybench.search.settings import Settings
from pybench.trial.samples import labels_read
from pybench.types import Method

# How the latency of each candidate is measured if there are constraints.
_MEASUREMENT = LatencyProtocol(calls=128, seconds=5, processes=1, batch_sizes=())


class Listener(run_plan.Listener, Protocol):
    """Follows a search."""

    def candidate(self, candidate: Candidate, best: Candidate | None) -> None:
        """After a candidate, in the order in which they were proposed; with the best one so far."""
        ...


class Search:
    """Looks for parameters of the plan's one method.

    Args:
        plan: trials with the method's default parameters, on the data that the objective is measured on.
        space: the parameters that are searched.
        settings: the request.
        store: holds the records.
        executor: runs the trials; it is not closed.
        listener: follows the search.
    """

    def __init__(
        self, plan: Plan, space: Space, settings: Settings, store: Store, executor: Executor, listener: Listener
    ) -> None:
        self.plan, self.settings, self.listener = plan, settings, listener
        self.candidates: list[Candidate] = []
        self.labels_read_here = 0
        self.ranking = Ranking(settings)
        self._method: type[Method] = registry.load("method", plan.specs[0].method)
        self._sampler = Sampler(space, settings, self.ranking)
        self._evaluation = Evaluation(plan, settings.metrics, store, executor, listener)
        rungs = RUNGS if has_fidelity(self._method.Params) else ()
        self._halving = Halving(rungs, higher_is_better=self.ranking.higher_is_better[settings.metrics[0]])

    def run(self, save: Callable[[], object]) -> None:
        """Try candidates, the defaults first; ``save`` is called after each batch.

        Raises:
            InputError: data or weights are missing.
        """
        before = labels_read()
        while len(self.candidates) < self.settings.candidates:
            self._batch(min(self.settings.batch, self.settings.candidates - len(self.candidates)))
            self.labels_read_here = labels_read() - before
            save()
        self._measure_what_is_shown()
        self.labels_read_here = labels_read() - before
        save()

    @property
    def defaults(self) -> Candidate:
        """The first candidate."""
        return self.candidates[0]

    @property
    def best(self) -> Candidate | None:
        """The candidate that is best by the first metric and meets all constraints, the earliest of equals."""
        return self.ranking.best(self.candidates)

    @property
    def front(self) -> list[Candidate]:
        """The candidates that meet all constraints and that no other beats in all metrics and constrained quantities
        together."""
        return self.ranking.front(self.candidates)

    def _batch(self, count: int) -> None:
        first = len(self.candidates) + 1
        batch = [self._propose(number) for number in range(first, first + count)]
        going = [candidate for candidate in batch if candidate.state == "complete"]
        for rung, share in enumerate(self._halving.shares):
            going = self._climb(going, rung, share)
        self._evaluation.evaluate(going, share=1, latency=_MEASUREMENT if self.settings.constraints else None)
        for candidate in batch:
            self.candidates.append(candidate)
            self._sampler.learn(candidate)
            self.listener.candidate(candidate, self.best)

    def _propose(self, number: int) -> Candidate:
        params = self.plan.specs[0].params
        if number == 1:
            return Candidate(number, self._sampler.propose_defaults(number, params), params)
        changes = self._sampler.propose(number)
        candidate = Candidate(number, changes, {**params, **changes})
        try:
            model = self._method.Params
            candidate.params = strict_yaml.validate(model, candidate.params).model_dump(mode="json")
        except ValidationError as error:
            problems = strict_yaml.problems(error, self._method.Params)
            candidate.state, candidate.reason = "refused", "; ".join(text for _, text in problems)
        return candidate

    def _climb(self, candidates: Sequence[Candidate], rung: int, share: float) -> list[Candidate]:
        """Try candidates with a share of their budget; returns those that go on. The defaults always do."""
        climbing = [candidate for candidate in candidates if not candidate.is_default]
        self._evaluation.evaluate(climbing, share)
        complete = [candidate for candidate in climbing if candidate.state == "complete"]
        for candidate in complete:
            candidate.rungs.append(candidate.values[self.settings.metrics[0]])
            candidate.values = {}  # those of the whole budget
            self._halving.add(rung, candidate.rungs[-1])
        for candidate in complete:
            if not self._halving.goes_on(rung, candidate.rungs[-1]):
                candidate.state, candidate.reason = "stopped", f"at {share:.0%} of the budget others did better"
        return [candidate for candidate in candidates if candidate.state == "complete"]

    def _measure_what_is_shown(self) -> None:
        """Without constraints only the defaults and the front are measured, if the suite measures latency at all."""
        if self.plan.latency is None or self.settings.constraints:
            return
        shown = {one.number: one for one in [self.defaults, *self.front] if one.state == "complete"}
        self._evaluation.measure(list(shown.values()), self.plan.latency)
