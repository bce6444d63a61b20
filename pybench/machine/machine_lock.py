"""The lock of a machine: trials share it, a latency measurement has it alone, whichever driver they belong to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def machine_lock(*, exclusive: bool) -> Iterator[None]:
    """Hold the machine alone (``exclusive``) or together with others; wait until that is possible.

    Processes get the lock in the order in which they ask: a new trial does not overtake a measurement that waits. The
    kernel frees the lock of a process that dies. The lock is one per user and machine.
    """
    with _file("gate") as gate, _file("lock") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)  # held only while the lock is waited for
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def _file(kind: str) -> IO[str]:
    return (Path(tempfile.gettempdir()) / f"pybench-{os.getuid()}.{kind}").open("a")
