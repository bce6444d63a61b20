"""The lock between trials and measurements."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event

import pytest

from pybench.machine.machine_lock import machine_lock


def _hold(entered: Event, leave: Event, exclusive: bool) -> None:
    with machine_lock(exclusive=exclusive):
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


def test_trials_that_come_later_do_not_overtake_a_measurement(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trial runs, a measurement waits for it, another trial comes: it is the measurement's turn."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = multiprocessing.get_context("fork")
    entered, leave = [context.Event() for _ in range(3)], [context.Event() for _ in range(3)]
    processes = [
        context.Process(target=_hold, args=(entered[number], leave[number], number == 1)) for number in range(3)
    ]
    try:
        processes[0].start()
        assert entered[0].wait(60)
        processes[1].start()
        assert not entered[1].wait(0.5)
        processes[2].start()
        assert not entered[2].wait(0.5), "the trial shares the lock with the first, past the measurement that waits"
        leave[0].set()
        assert entered[1].wait(60)
        assert not entered[2].wait(0.5)
        leave[1].set()
        assert entered[2].wait(60)
    finally:
        for event in leave:
            event.set()
        for process in processes:
            process.join(60)
