"""Which candidates of a search meet the constraints, which of them is best, and which are on the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from pybench import registry
from pybench.results import pareto
from pybench.search.candidate import Candidate
from pybench.search.settings import Settings


class Ranking:
    """Compares candidates by the metrics and constraints of a search."""

    def __init__(self, settings: Settings) -> None:
        self.constraints = settings.constraints
        self.higher_is_better = {
            name: bool(registry.load("metric", name).higher_is_better) for name in settings.metrics
        }

    def is_feasible(self, candidate: Candidate) -> bool:
        """Whether a complete candidate meets all constraints."""
        return all(constraint.excess(candidate.measured) <= 0 for constraint in self.constraints)

    def best(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """The feasible candidate that is best by the first metric, the earliest of equals; None if none is feasible."""
        return max(self._feasible(candidates), key=lambda candidate: self._goodness(candidate)[0], default=None)

    def front(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The feasible candidates that no other beats in all metrics and constrained quantities together."""
        feasible = self._feasible(candidates)
        return [feasible[position] for position in pareto.front([self._goodness(one) for one in feasible])]

    def _feasible(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [one for one in candidates if one.state == "complete" and self.is_feasible(one)]

    def _goodness(self, candidate: Candidate) -> tuple[float, ...]:
        """Metrics and constrained quantities, with signs such that more is better."""
        return (
            *(candidate.values[name] if up else -candidate.values[name] for name, up in self.higher_is_better.items()),
            *(-candidate.measured[constraint.quantity] for constraint in self.constraints),
        )
