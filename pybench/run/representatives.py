"""Which trial is measured for all that share a latency."""

from __future__ import annotations

from pybench.spec import TrialSpec
from pybench.trial import fitted_states


class Representatives:
    """Of the trials that share a latency, the one with the most training images: its latency stands for the others'."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[fitted_states.Rank, TrialSpec]] = {}  # by latency key

    def add(self, spec: TrialSpec, train_images: int) -> None:
        """Consider a trial."""
        key, rank = spec.latency_key(), fitted_states.rank(spec, train_images)
        if key not in self._found or rank < self._found[key][0]:
            self._found[key] = rank, spec

    def specs(self) -> list[TrialSpec]:
        """One trial for each latency, in the order in which the latencies were first seen."""
        return [spec for _, spec in self._found.values()]
