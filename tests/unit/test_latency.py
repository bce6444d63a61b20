"""Percentiles and their intervals; the lock between trials and measurements."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event

import numpy as np
import pytest

from pybench.latency import node_lock, timing


def test_percentiles_are_numpys() -> None:
    samples = np.random.default_rng(0).gamma(2, 3, 1000)
    found = timing(samples)
    assert found.calls == 1000
    for name, level in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert getattr(found, name) == pytest.approx(np.quantile(samples, level))
        low, high = found.intervals[name]
        assert low <= getattr(found, name) <= high


@pytest.mark.parametrize(("calls", "given"), [(30, False), (661, False), (662, True)])
def test_p99_needs_662_calls(calls: int, given: bool) -> None:
    found = timing(np.arange(calls, dtype=float))
    assert (found.p99 is not None) is given
    assert ("p99" in found.intervals) is given


def test_intervals_cover_the_true_quantile_in_95_of_100_experiments() -> None:
    generator, covered, experiments = np.random.default_rng(1), 0, 500
    for _ in range(experiments):
        low, high = timing(generator.exponential(1, 128)).intervals["p90"]
        covered += low <= np.log(10) <= high
    assert covered / experiments >= 0.93


def _hold(entered: Event, leave: Event, exclusive: bool) -> None:
    with node_lock(exclusive=exclusive):
        entered.set()
        leave.wait(60)


@pytest.mark.parametrize(
    ("first", "second", "together"), [(False, False, True), (False, True, False), (True, False, False)]
)
def test_trials_share_the_machine_and_a_measurement_has_it_alone(
    first: bool, second: bool, together: bool, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = multiprocessing.get_context("fork")
    leave = context.Event()
    events = [context.Event(), context.Event()]
    processes = [
        context.Process(target=_hold, args=(event, leave, exclusive))
        for event, exclusive in zip(events, (first, second), strict=True)
    ]
    try:
        processes[0].start()
        assert events[0].wait(60)
        processes[1].start()
        assert events[1].wait(30 if together else 0.5) is together
        leave.set()
        assert events[1].wait(60), "the second one must come in when the first one leaves"
    finally:
        leave.set()
        for process in processes:
            process.join(60)
