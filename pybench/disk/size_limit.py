"""Folders of the cache whose size is limited: the least recently used files are removed first."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pybench.disk.paths import cache_folder
from pybench.types import InputError

_SPARED = 2 * 2**30  # bytes of the disk that are left free for other programs


@dataclass(frozen=True)
class BoundedFolder:
    """A folder below the cache folder, and the environment variable that limits its size.

    Args:
        name: of the folder.
        suffix: of the files that count and that may be removed, half-written ones included; others stay.
        variable: names the environment variable that holds the limit in gigabytes (2^30 bytes); 0 keeps nothing.
        default_gb: the limit where the variable is not set.
    """

    name: str
    suffix: str
    variable: str
    default_gb: float = 10.0

    @property
    def path(self) -> Path:
        """Where the folder lies on this machine; it need not exist."""
        return cache_folder() / self.name

    def limit(self) -> int:
        """Bytes that the folder may take.

        Raises:
            InputError: the variable does not hold a number of gigabytes, 0 or more.
        """
        given = os.environ.get(self.variable) or str(self.default_gb)
        try:
            gigabytes = float(given)
        except ValueError:
            gigabytes = math.nan
        if not 0 <= gigabytes < math.inf:
            raise InputError(f"{self.variable}: expected a number of gigabytes, 0 for no cache, got '{given}'")
        return int(gigabytes * 2**30)

    def size(self) -> int:
        """Bytes that the folder takes now."""
        return sum(file.size for file in self._files())

    def make_room(self, wanted: int) -> None:
        """Remove the least recently used files until ``wanted`` more bytes stay within the limit.

        2 GiB of the disk are always left free for other programs.

        Raises:
            InputError: the environment variable is wrong; see ``limit``.
            OSError: the folder does not exist, or a file in it cannot be removed.
        """
        files = sorted(self._files())
        taken = sum(file.size for file in files)
        excess = taken + wanted - min(self.limit(), taken + shutil.disk_usage(self.path).free - _SPARED)
        for file in files:
            if excess <= 0:
                return
            file.path.unlink(missing_ok=True)
            excess -= file.size

    def _files(self) -> list[_File]:
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.endswith(self.suffix):
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        found.append(_File(status.st_mtime_ns, status.st_size, Path(entry.path)))
        return found


@dataclass(frozen=True, order=True)
class _File:
    """When a file was used last (nanoseconds), its bytes, and where it is; sorts by the time of use."""

    used_ns: int
    size: int
    path: Path


def mark_as_used(file: Path) -> None:
    """Set the time at which a file was used to now."""
    with contextlib.suppress(OSError):
        os.utime(file)
