"""Peak memory of this process, counted from a moment that the caller chooses."""

from __future__ import annotations

import resource
from pathlib import Path

from pybench.machine.environment import text_of


def reset_peak_memory() -> None:
    """Start counting again, where the kernel allows it (Linux); elsewhere the peak is that since the process began."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Largest resident memory since ``reset_peak_memory``, in MiB."""
    for line in text_of(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
