"""The seconds of phases: what is spent under another name is not counted twice."""

from __future__ import annotations

import pytest

from pybench.trial import phase_timer
from pybench.trial.phase_timer import PhaseTimer


def test_seconds_under_another_name_are_subtracted_from_their_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 17.0, 20.0, 21.0])
    monkeypatch.setattr(phase_timer.time, "perf_counter", lambda: next(moments))
    timer = PhaseTimer()
    with timer("fit"):
        timer.spend("features", 2.0)
        timer.spend("features", 1.5)
    with timer("predict"):
        pass
    assert timer.seconds == {"features": 3.5, "fit": 3.5, "predict": 1.0}
