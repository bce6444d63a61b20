"""Files that a crash leaves as they were or as they shall be, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pybench.types import InputError


def write(path: Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, flush it to the disk, rename it, flush the folder.

    Raises:
        InputError: the disk is full, or ``path`` cannot be written for another reason.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
