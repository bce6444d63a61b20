"""The clocks of the CPU and of the GPUs at this moment."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

from pybench.machine.environment import nvidia, text_of

_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
_GPU_FIELDS = ("name", "driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu")


def clocks() -> dict[str, Any]:
    """Clocks of the CPU in MHz (mean of its cores, and the maximum) and its governor; name, driver, clocks in MHz and
    temperature in degrees Celsius of each GPU. A value is None where the system does not tell it, as in most virtual
    machines."""
    highest = text_of(_CPU / "cpuinfo_max_freq")
    lines = text_of(Path("/proc/cpuinfo")).splitlines()
    now = [float(line.rpartition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return {
        "cpu_mhz": round(fmean(now)) if now else None,
        "cpu_max_mhz": int(highest) // 1000 if highest.isdigit() else None,
        "governor": text_of(_CPU / "scaling_governor") or None,
        "gpus": [dict(zip(_GPU_FIELDS, values, strict=True)) for values in nvidia(_GPU_FIELDS)],
    }
