"""What the cluster tests have in common."""

from __future__ import annotations

from pybench.records import Latency, LatencyFailure, Record
from pybench.spec import TrialSpec


class Quiet:
    """A listener that says nothing."""

    def started(self, total: int) -> None: ...

    def handed(self, spec: TrialSpec) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None: ...

    def measuring(self, spec: TrialSpec) -> None: ...

    def latency(self, latency: Latency | LatencyFailure) -> None: ...
