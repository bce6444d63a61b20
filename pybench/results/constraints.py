"""Constraints: upper bounds of a method's measured latency and memory, and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pybench.records import Latency
from pybench.registry import unknown
from pybench.types import InputError

QUANTITIES: Mapping[str, Callable[[Latency], float]] = {
    "latency_p50_ms": lambda latency: latency.end_to_end.p50,
    "latency_p95_ms": lambda latency: latency.end_to_end.p95,
    "peak_memory_mb": lambda latency: latency.peak_memory_mb,
}
_PERCENTILES = {"latency_p50_ms": "p50", "latency_p95_ms": "p95"}
_WRITTEN = re.compile(r"\s*(\w+)\s*(<=|<|>=|>|==|=)\s*(\S+)\s*")


@dataclass(frozen=True)
class Constraint:
    """A measured quantity must not exceed a bound."""

    quantity: str
    bound: float

    def __str__(self) -> str:
        return f"{self.quantity}<={self.bound:.10g}"

    def excess(self, measured: Mapping[str, float]) -> float:
        """By how much the measured value exceeds the bound; 0 or less if the constraint is met."""
        return measured[self.quantity] - self.bound


def quantities_of(latencies: Sequence[Latency]) -> dict[str, float]:
    """Each quantity of at least one latency; the largest of several measurements counts."""
    return {name: max(map(measure, latencies)) for name, measure in QUANTITIES.items()}


def intervals_of(latencies: Sequence[Latency]) -> dict[str, tuple[float, float]]:
    """The 95 % intervals of the quantities that have one; of several measurements that of the largest value counts."""
    found = {}
    for name, percentile in _PERCENTILES.items():
        largest = max(latencies, key=QUANTITIES[name])
        if percentile in largest.end_to_end.intervals:
            found[name] = largest.end_to_end.intervals[percentile]
    return found


def parse(texts: Sequence[str], option: str) -> tuple[Constraint, ...]:
    """Constraints as they are written on the command line, such as ``latency_p95_ms<=20, peak_memory_mb<=4096``.

    Args:
        texts: each holds one or several, separated by commas.
        option: the name of the option, for error messages.

    Raises:
        InputError: not of this form, an unknown quantity, a bound that is no number above 0, a quantity given twice.
    """
    found: dict[str, Constraint] = {}
    for text in (part for given in texts for part in given.split(",")):
        try:
            constraint = _constraint(text)
            if constraint.quantity in found:
                raise InputError(f"{constraint.quantity} is limited already: {found[constraint.quantity]}")
        except InputError as error:
            raise InputError(f"{option} {text.strip()}: {error}") from None
        found[constraint.quantity] = constraint
    return tuple(found.values())


def _constraint(text: str) -> Constraint:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise InputError("expected QUANTITY<=NUMBER, as in 'latency_p95_ms<=20'")
    quantity, sign, number = found.groups()
    if quantity not in QUANTITIES:
        raise InputError(unknown("quantity", quantity, list(QUANTITIES)))
    if sign != "<=":
        raise InputError(f"only <= is known here, as in '{quantity}<={number}'")
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not 0 < bound < math.inf:
        raise InputError(f"expected a number above 0 after <=, got {number}")
    return Constraint(quantity, bound)
