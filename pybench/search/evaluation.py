"""Evaluates candidates: runs the trials of each; takes means of the metrics and the largest latency and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from pybench import registry
from pybench.executors import Executor
from pybench.planning import strict_yaml
from pybench.planning.plan import Plan
from pybench.planning.search_space import scaled
from pybench.planning.suite import LatencyProtocol
from pybench.planning.trial_list import SpecList
from pybench.records import Result
from pybench.results.constraints import quantities_of
from pybench.results.store import Store
from pybench.run import run_plan
from pybench.search.candidate import Candidate
from pybench.types import Method


class Evaluation:
    """Runs candidates as ordinary trials of the main loop, as many for each as the plan has.

    Args:
        plan: trials with the method's default parameters, on the data that the objective is measured on.
        metrics: the objectives.
        store: holds the records.
        executor: runs the trials; it is not closed.
        listener: follows the runs.
    """

    def __init__(
        self, plan: Plan, metrics: Sequence[str], store: Store, executor: Executor, listener: run_plan.Listener
    ) -> None:
        self._plan, self._metrics, self._store = plan, tuple(metrics), store
        self._executor, self._listener = executor, listener
        method: type[Method] = registry.load("method", plan.specs[0].method)
        self._model = method.Params

    def evaluate(self, candidates: Sequence[Candidate], share: float, latency: LatencyProtocol | None = None) -> None:
        """Run candidates with a share of their budget. Sets the ``values`` of each, or its state ``failed`` and reason.

        Args:
            candidates: they are changed in place.
            share: of the budget, above 0 and up to 1.
            latency: how latency is measured, which sets ``measured``; None does not measure it.

        Raises:
            InputError: data or weights are missing.
        """
        for candidate, results in self._run(candidates, share, latency):
            self._take_values(candidate, results)
            if candidate.state == "complete" and latency is not None:
                _take_latencies(candidate, results)

    def measure(self, candidates: Sequence[Candidate], latency: LatencyProtocol) -> None:
        """Measure the latency of complete candidates; the ``measured`` of one whose measurement fails stays empty.

        Raises:
            InputError: data or weights are missing.
        """
        for candidate, results in self._run(candidates, 1, latency):
            if not any(result.latency_failure for result in results):
                _take_latencies(candidate, results)

    def _run(
        self, candidates: Sequence[Candidate], share: float, latency: LatencyProtocol | None
    ) -> list[tuple[Candidate, list[Result]]]:
        specs = {
            candidate.number: [
                spec.model_copy(update={"params": self._at_share(candidate.params, share)}) for spec in self._plan.specs
            ]
            for candidate in candidates
        }
        every = {spec.key(): spec for of_candidate in specs.values() for spec in of_candidate}
        if not every:
            return []
        plan = replace(self._plan, specs=SpecList(every.values()), latency=latency)
        results = run_plan.run(plan, self._store, self._executor, force=False, listener=self._listener)
        by_key = {result.record.key: result for result in results}
        return [(candidate, [by_key[spec.key()] for spec in specs[candidate.number]]) for candidate in candidates]

    def _at_share(self, params: dict[str, Any], share: float) -> dict[str, Any]:
        if share == 1:
            return params
        return strict_yaml.validate(self._model, scaled(params, self._model, share)).model_dump(mode="json")

    def _take_values(self, candidate: Candidate, results: Sequence[Result]) -> None:
        records = [result.record for result in results]
        candidate.keys += [record.key for record in records if record.key not in candidate.keys]
        candidate.test_labels_read += sum(record.counts.get("test_labels_read", 0) for record in records)
        for record in records:
            undefined = [name for name in self._metrics if record.metrics.get(name) is None]
            if record.status != "ok":
                candidate.state = "failed"
                candidate.reason = f"{record.spec.category}: {record.status}: {record.reason}"
            elif undefined:
                why = record.undefined.get(undefined[0], "")
                candidate.state = "failed"
                candidate.reason = f"{record.spec.category}: {undefined[0]} is undefined: {why}"
        if candidate.state == "complete":
            candidate.values = {
                name: fmean(value for record in records if (value := record.metrics[name]) is not None)
                for name in self._metrics
            }


def _take_latencies(candidate: Candidate, results: Sequence[Result]) -> None:
    """Sets ``measured``; without a latency a candidate fails, because it cannot be compared with the constraints."""
    failures = [result.latency_failure for result in results if result.latency_failure is not None]
    if failures:
        candidate.state, candidate.reason = "failed", f"latency: {failures[0].status}: {failures[0].reason}"
    else:
        candidate.measured = quantities_of([result.latency for result in results if result.latency is not None])
