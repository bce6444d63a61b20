"""Percentiles of measured milliseconds, and intervals for them that assume nothing of how they are distributed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from pybench.records import Timing

LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_P99_FROM_CALLS = 662
_OUTSIDE = 0.05  # probability with which a quantile may lie outside of its interval


def timing(milliseconds: NDArray[np.float64]) -> Timing:
    """Percentiles of raw samples [n], n > 0, as numpy's, with order-statistic 95 % intervals."""
    calls = len(milliseconds)
    levels = {name: level for name, level in LEVELS.items() if name != "p99" or calls >= _P99_FROM_CALLS}
    values = {name: float(np.quantile(milliseconds, level)) for name, level in levels.items()}
    return Timing(
        calls=calls,
        p50=values["p50"],
        p90=values["p90"],
        p95=values["p95"],
        p99=values.get("p99"),
        intervals={name: interval(milliseconds, level) for name, level in levels.items()},
    )


def interval(milliseconds: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The order statistics of samples [n] between which the quantile lies with 95 % probability."""
    low, high = ranks(len(milliseconds), level)
    ordered = np.sort(milliseconds)
    return float(ordered[low]), float(ordered[high])


def ranks(calls: int, level: float) -> tuple[int, int]:
    """Which of the sorted samples, counted from 0, bound the interval.

    How many of them lie below the quantile is binomial, whatever they measure. Where there are too few for 95 %, the
    smallest or the largest sample takes the place of the one that is not there.
    """
    below = int(binom.ppf(_OUTSIDE / 2, calls, level)) - 1
    above = int(binom.ppf(1 - _OUTSIDE / 2, calls, level))
    return max(below, 0), min(above, calls - 1)


def differ(intervals: Iterable[tuple[float, float]]) -> bool:
    """Whether any two of the intervals have nothing in common."""
    lows, highs = zip(*intervals, strict=True)
    return bool(max(lows) > min(highs))
