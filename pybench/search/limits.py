"""Limits that a sample must keep: what is measured of its latency, and how a limit is written."""

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
_WRITTEN = re.compile(r"\s*(\w+)\s*(<=|<|>=|>|==|=)\s*(\S+)\s*")


@dataclass(frozen=True)
class Limit:
    """A measured quantity must not exceed a bound."""

    quantity: str
    bound: float

    def __str__(self) -> str:
        return f"{self.quantity}<={self.bound:g}"

    def excess(self, measured: Mapping[str, float]) -> float:
        """By how much it is exceeded; 0 or less where it is kept."""
        return measured[self.quantity] - self.bound


def parse(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Limits as they are written on the command line, such as ``latency_p95_ms<=20``.

    Raises:
        InputError: not of this form, an unknown quantity, a bound that is no number above 0, a quantity given twice.
    """
    limits: dict[str, Limit] = {}
    for text in texts:
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise InputError(f"--constraint {text}: expected QUANTITY<=NUMBER, as in 'latency_p95_ms<=20'")
        quantity, sign, number = found.groups()
        if quantity not in QUANTITIES:
            raise InputError(f"--constraint {text}: {unknown('quantity', quantity, list(QUANTITIES))}")
        if sign != "<=":
            raise InputError(f"--constraint {text}: only <= is known here, as in '{quantity}<={number}'")
        limit = Limit(quantity, _positive(number, text))
        if quantity in limits:
            raise InputError(f"--constraint {text}: {quantity} is limited already: {limits[quantity]}")
        limits[quantity] = limit
    return tuple(limits.values())


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"--constraint {text}: expected a number above 0 after <=, got {number}")
    return value
