"""Percentiles are numpy's; intervals cover the true quantile as often as the binomial distribution says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, expon

from pybench.latency.percentiles import LEVELS, differ, interval, ranks, timing

EXPERIMENTS = 2000


def test_percentiles_are_numpys() -> None:
    samples = np.random.default_rng(0).gamma(2, 3, 1000)
    found = timing(samples)
    assert found.calls == 1000
    for name, level in LEVELS.items():
        assert getattr(found, name) == pytest.approx(np.quantile(samples, level))
        low, high = found.intervals[name]
        assert low <= getattr(found, name) <= high
        assert {low, high} <= set(samples)


@pytest.mark.parametrize(("calls", "given"), [(1, False), (30, False), (661, False), (662, True)])
def test_p99_needs_662_calls(calls: int, given: bool) -> None:
    found = timing(np.arange(calls, dtype=float))
    assert (found.p99 is not None) is given
    assert ("p99" in found.intervals) is given


@pytest.mark.parametrize(
    ("name", "calls"), [("p50", 30), ("p50", 128), ("p90", 128), ("p95", 128), ("p95", 1024), ("p99", 662)]
)
def test_intervals_cover_the_true_quantile(name: str, calls: int) -> None:
    """In 2,000 experiments, beside the exact probability; exponential, so skewed as latencies are."""
    level = LEVELS[name]
    low, high = ranks(calls, level)
    samples = np.sort(np.random.default_rng(calls).exponential(1, (EXPERIMENTS, calls)), axis=1)
    truth = expon.ppf(level)
    covered = np.mean((samples[:, low] <= truth) & (truth <= samples[:, high]))
    exact = binom.cdf(high, calls, level) - binom.cdf(low, calls, level)
    assert covered >= 0.94
    assert abs(covered - exact) <= 0.015
    assert interval(samples[0][::-1].copy(), level) == (samples[0, low], samples[0, high])


def test_where_an_order_statistic_is_missing_the_extreme_stands_in() -> None:
    assert ranks(10, 0.95) == (7, 9)
    assert interval(np.array([5.0]), 0.5) == (5.0, 5.0)


def test_intervals_differ_where_two_have_nothing_in_common() -> None:
    assert not differ([(1, 2), (2, 3), (1.5, 2.5)])
    assert not differ([(1, 2)])
    assert differ([(1, 2), (1.5, 2.5), (2.1, 3)])
