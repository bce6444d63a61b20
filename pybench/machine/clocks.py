"""What a machine is doing at a moment: its clocks, and who uses its processors."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from pybench.machine.environment import nvidia

_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
_GPU_FIELDS = ("name", "driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu")


def clocks() -> dict[str, Any]:
    """Clocks of the CPU in MHz (mean of its cores, and the most it does) and its governor; name, driver, clocks in MHz
    and temperature of each GPU. None stands for what cannot be known here, as in most virtual machines."""
    highest = _text(_CPU / "cpuinfo_max_freq")
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    now = [float(line.rpartition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return {
        "cpu_mhz": round(fmean(now)) if now else None,
        "cpu_max_mhz": int(highest) // 1000 if highest.isdigit() else None,
        "governor": _text(_CPU / "scaling_governor") or None,
        "gpus": [dict(zip(_GPU_FIELDS, values, strict=True)) for values in nvidia(_GPU_FIELDS)],
    }


class CpuTimes:
    """CPU seconds used by the whole machine and by this process, at one moment."""

    def __init__(self, machine: float, own: float, moment: float) -> None:
        self.machine, self.own, self.moment = machine, own, moment

    @classmethod
    def read(cls) -> CpuTimes:
        try:
            fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
            ticks = [int(field) for field in fields]
            busy = sum(ticks[:3] + ticks[5:7]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            busy = float("nan")
        own = os.times()
        return cls(busy, own.user + own.system, time.monotonic())

    def share_of_others(self, before: CpuTimes, cores: int) -> float:
        """Share of the machine's CPU time since ``before`` that went to other processes; 0 where it cannot be known."""
        used = (self.machine - before.machine) - (self.own - before.own)
        share = used / ((self.moment - before.moment) * cores)
        return 0.0 if np.isnan(share) else max(0.0, share)


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""
