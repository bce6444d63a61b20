"""Results that are dear and shared: made once on a machine, kept by what they depend on, checked when they are read.

<folder>/<key>.kept       the content's sha256 in hex, a line break, the content
<folder>/<key>.lock       held by whoever makes it; others that want it wait
<folder>/<key>.underway/  for the checkpoints of the making
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
class Kept:
    """What was asked for. ``was_made`` says that it was made for this call; ``damaged`` names the damaged file whose
    place it took, empty where there was none."""

    content: bytes
    was_made: bool
    damaged: str = ""


def keep(folder: Path, key: str, make: Callable[[Path], bytes], report: Callable[[str], None]) -> Kept:
    """Read what is kept under a key, or make it and keep it.

    Of several processes that ask at once, one makes it and the others wait. Where it dies, the next goes on in the
    same folder.

    Args:
        folder: of this kind of result.
        key: names everything that the result depends on; a file name.
        make: returns the content, given a folder for checkpoints, which is removed afterwards.
        report: takes a line for the user: that it is waited for, or was damaged.

    Raises:
        InputError: the folder cannot be written.
    """
    file, damaged = folder / f"{key}.kept", ""
    with locked(folder / f"{key}.lock", report):
        if file.is_file():
            content = _checked(file.read_bytes())
            if content is not None:
                return Kept(content, was_made=False)
            damaged = str(file)
            report(f"{file} is damaged; made anew")
        underway = folder / f"{key}.underway"
        content = make(underway)
        atomic_files.write(file, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        shutil.rmtree(underway, ignore_errors=True)
    return Kept(content, was_made=True, damaged=damaged)


def _checked(raw: bytes) -> bytes | None:
    """The content, or None where it is not what was written."""
    digest, _, content = raw.partition(b"\n")
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


@contextmanager
def locked(path: Path, report: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold a lock file, which is made where it is not there; others that want it wait.

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
