"""Peak memory of this process, counted from a moment that the caller chooses."""

from __future__ import annotations

import resource
from pathlib import Path


def reset_peak_memory() -> None:
    """Start counting anew, where the kernel allows it (Linux); elsewhere the peak stays that of the process's life."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Largest resident memory since ``reset_peak_memory``, in MiB."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
