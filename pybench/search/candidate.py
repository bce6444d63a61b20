"""A candidate: parameters that a search tries, and their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["complete", "stopped", "failed", "refused"]


@dataclass
class Candidate:
    """Parameters that are tried, and their results.

    Candidate number 1 has the method's defaults. A ``stopped`` candidate was left at a rung because others did better
    there; a ``refused`` one is a combination that the method does not accept. ``changes`` are the parameters that are
    searched, ``params`` all of them. ``rungs`` are values of the first metric at shares of the budget, ``values`` those
    of all metrics at the whole budget; both are means over the trials, as in the records. ``measured`` holds the
    quantities of ``constraints.QUANTITIES``, the largest over the trials; it is empty if latency was not measured.
    ``keys`` are those of the trials.
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
        """Whether these are the parameters that the search starts from."""
        return self.number == 1
