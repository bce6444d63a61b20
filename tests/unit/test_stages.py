"""Stages count what no stage within them counts, and nothing where nobody records."""

from __future__ import annotations

import pytest
import torch

from pybench import stages
from pybench.images.geometry import Geometry
from pybench.images.score_maps import smooth, upsample
from pybench.stages import record, stage


class Clock:
    """Goes on by a millisecond whenever the device is waited for, or somebody works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.waits = 0, 0
        monkeypatch.setattr(stages.time, "perf_counter_ns", lambda: self.now)

    def wait(self) -> None:
        self.waits += 1

    def work(self, milliseconds: int) -> None:
        self.now += milliseconds * 1_000_000


def test_time_is_exclusive_and_what_no_stage_names_is_in_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    @stage("match")
    def predict() -> None:
        clock.work(1)
        with stage("backbone"):
            clock.work(10)
            with stage("preprocess"):
                clock.work(100)
        with stage("backbone"):
            clock.work(20)
        clock.work(2)

    with record(clock.wait) as found:
        clock.work(5000)
        predict()
        clock.work(5000)
    assert found == {"match": 3, "backbone": 30, "preprocess": 100}
    assert clock.waits == 8  # where a stage begins and ends


def test_without_a_recording_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with record(clock.wait) as found:
        pass
    with stage("match"):
        clock.work(1)
    assert found == {}
    assert clock.waits == 0


def test_an_error_within_a_stage_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    @stage("match")
    def fail() -> None:
        clock.work(1)
        raise ValueError("lamp")

    with record(clock.wait) as found:
        with pytest.raises(ValueError, match="lamp"):
            fail()
        clock.work(7)
        with stage("decode"):
            clock.work(2)
    assert found == {"match": 1, "decode": 2}


def test_shared_parts_name_their_stages() -> None:
    with record(lambda: None) as found:
        maps = upsample(Geometry(16).to_input(torch.rand(1, 3, 20, 20)).mean(1), 32)
        smooth(maps, 1)
    assert found.keys() == {"preprocess", "postprocess"}
