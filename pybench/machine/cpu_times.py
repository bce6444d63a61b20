"""How much of the CPU time this process takes, and how much other processes take."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np


class CpuTimes:
    """CPU seconds that the whole machine and this process have used up to a moment (seconds of the monotonic clock)."""

    def __init__(self, machine: float, own: float, moment: float) -> None:
        self.machine, self.own, self.moment = machine, own, moment

    @classmethod
    def read(cls) -> CpuTimes:
        """The times up to now; those of the machine are NaN where the system does not tell them."""
        try:
            fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
            ticks = [int(field) for field in fields]
            busy = sum(ticks[:3] + ticks[5:7]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            busy = float("nan")
        own = os.times()
        return cls(busy, own.user + own.system, time.monotonic())

    def share_of_others(self, before: CpuTimes, cores: int) -> float:
        """CPU time that other processes used since ``before``, as a share of the time of ``cores`` cores; above 1 where
        the machine has more cores. 0 where it cannot be known."""
        used = (self.machine - before.machine) - (self.own - before.own)
        share = used / ((self.moment - before.moment) * cores)
        return 0.0 if np.isnan(share) else max(0.0, share)
