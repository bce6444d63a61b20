"""Limits on what is measured of a method's latency and memory, and how a limit is written."""

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
class Limit:
    """A measured quantity must not exceed a bound."""

    quantity: str
    bound: float

    def __str__(self) -> str:
        return f"{self.quantity}<={self.bound:.10g}"

    def excess(self, measured: Mapping[str, float]) -> float:
        """By how much it is exceeded; 0 or less where it is kept."""
        return measured[self.quantity] - self.bound


def measured(latencies: Sequence[Latency]) -> dict[str, float]:
    """Each quantity of what was measured at least once; of several measurements the largest value counts."""
    return {name: max(map(measure, latencies)) for name, measure in QUANTITIES.items()}


def intervals(latencies: Sequence[Latency]) -> dict[str, tuple[float, float]]:
    """The 95 % intervals of the quantities that have one; of several measurements that of the largest value."""
    found = {}
    for name, percentile in _PERCENTILES.items():
        largest = max(latencies, key=QUANTITIES[name])
        if percentile in largest.end_to_end.intervals:
            found[name] = largest.end_to_end.intervals[percentile]
    return found


def parse(texts: Sequence[str], option: str) -> tuple[Limit, ...]:
    """Limits as they are written on the command line, such as ``latency_p95_ms<=20``; ``option`` is the one that errors
    name.

    Raises:
        InputError: not of this form, an unknown quantity, a bound that is no number above 0, a quantity given twice.
    """
    limits: dict[str, Limit] = {}
    for text in texts:
        try:
            limit = _limit(text)
            if limit.quantity in limits:
                raise InputError(f"{limit.quantity} is limited already: {limits[limit.quantity]}")
        except InputError as error:
            raise InputError(f"{option} {text.strip()}: {error}") from None
        limits[limit.quantity] = limit
    return tuple(limits.values())


def _limit(text: str) -> Limit:
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
    return Limit(quantity, bound)
