"""Folders of the cache that may take so many bytes and no more: what was not used for longest goes first."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from pathlib import Path

from pybench.types import InputError

_SPARED = 2 * 2**30  # bytes of the disk that are left to others


def limit(variable: str, default_gb: float) -> int:
    """Bytes that a folder may take: gigabytes (2^30 bytes) as an environment variable says; 0 keeps nothing.

    Raises:
        InputError: the variable holds something else than a number of gigabytes.
    """
    given = os.environ.get(variable) or str(default_gb)
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < math.inf:
        raise InputError(f"{variable}: expected a number of gigabytes, 0 for no cache, got '{given}'")
    return int(gigabytes * 2**30)


def size(folder: Path, suffix: str) -> int:
    """Bytes that the files of a folder take whose names end in ``suffix``."""
    return sum(taken for _, taken, _ in _entries(folder, suffix))


def make_room(folder: Path, suffix: str, limit: int, wanted: int) -> None:
    """Remove the files that were not used for longest until so many bytes more stay within the limit.

    The last 2 GB of the disk are left to others.
    """
    entries = sorted(_entries(folder, suffix))
    taken = sum(bytes_ for _, bytes_, _ in entries)
    excess = taken + wanted - min(limit, taken + shutil.disk_usage(folder).free - _SPARED)
    for _, bytes_, file in entries:
        if excess <= 0:
            return
        file.unlink(missing_ok=True)
        excess -= bytes_


def touch(file: Path) -> None:
    """Say that a file was used now."""
    with contextlib.suppress(OSError):
        os.utime(file)


def _entries(folder: Path, suffix: str) -> list[tuple[int, int, Path]]:
    """Of each file: when it was used last, its bytes, and where it is; half-written ones too."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(suffix):
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    found.append((status.st_mtime_ns, status.st_size, Path(file.path)))
    return found
