"""Files that are written whole or not at all: after a crash, each is either the old one or the new one."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from pybench.types import InputError

_FEW = 4  # up to so many files or folders are flushed one by one; more, together with their whole file system


def write(path: Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, flush it to the disk, rename it, flush the folder.

    Raises:
        InputError: the disk is full, or ``path`` cannot be written for another reason.
    """
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files of one file system as ``write`` does, and flush them together, which takes a disk about as
    long as one file.

    After a crash each file is either old or new; when this returns, all are new.

    Raises:
        InputError: one of them cannot be written; the message names it. The others may be old or new.
    """
    temporary: dict[Path, str] = {}
    path = next(iter(contents), None)
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        _flush(temporary.values())
        for path in contents:
            os.replace(temporary[path], path)
            del temporary[path]
        _flush({str(path.parent): None for path in contents})
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        for left in temporary.values():
            Path(left).unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file, open for writing, that replaces ``path`` at the end of the block, whole or not at all.

    It is not flushed to the disk: use it for files whose content is checked when they are read. The folder must exist.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _flush(paths: Iterable[str]) -> None:
    """Bring files or folders to the disk."""
    paths = list(paths)
    together = _flush_disk()
    for path in paths if together is None or len(paths) <= _FEW else ():
        _with_open(path, os.fsync)
    if together is not None and len(paths) > _FEW:
        _with_open(paths[0], together)


def _with_open(path: str, function: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        function(descriptor)
    finally:
        os.close(descriptor)


@cache
def _flush_disk() -> Callable[[int], None] | None:
    """A function that flushes the file system of an open file (Linux's ``syncfs``); None where there is none."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None

    def flush(descriptor: int) -> None:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return flush
