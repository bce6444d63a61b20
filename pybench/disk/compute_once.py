"""Results that are computed once on a machine and then read from a file, whose content is checked.

<folder>/<key>.kept       the content's sha256 in hex, a line break, the content
<folder>/<key>.lock       held by the process that computes it; others wait
<folder>/<key>.underway/  checkpoints of the computation
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pybench.disk import atomic_files
from pybench.types import InputError


@dataclass(frozen=True)
class Computed:
    """A result. ``is_new`` says that this call computed it; ``damaged`` names the damaged file that it replaced, empty
    where there was none."""

    content: bytes
    is_new: bool
    damaged: str = ""


def compute_once(folder: Path, key: str, compute: Callable[[Path], bytes], report: Callable[[str], None]) -> Computed:
    """Read the result of a computation, or compute it and write it to a file.

    Of several processes that ask at the same time, one computes and the others wait. If it dies, the next one goes on
    from its checkpoints.

    Args:
        folder: holds all results of this kind.
        key: a hash of everything that the result depends on; it is part of file names.
        compute: returns the result, given a folder for checkpoints, which is removed afterwards.
        report: takes a line for the user: that another process is waited for, or that a file was damaged.

    Raises:
        InputError: the folder cannot be written.
    """
    file, damaged = folder / f"{key}.kept", ""
    with locked(folder / f"{key}.lock", report):
        if file.is_file():
            content = _checked(file.read_bytes())
            if content is not None:
                return Computed(content, is_new=False)
            damaged = str(file)
            report(f"{file} is damaged; made anew")
        underway = folder / f"{key}.underway"
        content = compute(underway)
        atomic_files.write(file, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        shutil.rmtree(underway, ignore_errors=True)
    return Computed(content, is_new=True, damaged=damaged)


def _checked(raw: bytes) -> bytes | None:
    """The content of a file, or None where its check sum is wrong."""
    digest, _, content = raw.partition(b"\n")
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


@contextmanager
def locked(path: Path, report: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold a lock file for the block; wait while another process holds it. The file is created if it is not there.

    Args:
        path: the lock file.
        report: takes a line for the user if another process holds the lock.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for {path.stem}, which another trial makes")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
