"""The CPU time of other processes."""

from __future__ import annotations

from math import nan

import pytest

from pybench.machine.cpu_times import CpuTimes


@pytest.mark.parametrize(
    ("machine", "own", "share"),
    [
        (10.0, 2.0, 0.4),  # 8 of 20 seconds on two cores
        (2.0, 2.0, 0.0),
        (1.9, 2.0, 0.0),  # the two are not read at the same instant
        (nan, 2.0, 0.0),
    ],
)
def test_what_others_used_is_a_share_of_the_cores_time(machine: float, own: float, share: float) -> None:
    before = CpuTimes(machine=100.0, own=5.0, moment=1.0)
    after = CpuTimes(machine=100.0 + machine, own=5.0 + own, moment=11.0)
    assert after.share_of_others(before, cores=2) == pytest.approx(share)


def test_times_grow() -> None:
    first, second = CpuTimes.read(), CpuTimes.read()
    assert second.moment >= first.moment
    assert second.own >= first.own
