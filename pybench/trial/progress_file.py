"""The progress file of a running trial: one line that states how far it is. Each trial has its own progress folder.

<run>/underway/<trial>/progress           the line
<run>/underway/<trial>/<fit>/<phase>.pt   checkpoints, written by ``pybench.training.loop``
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

_PROGRESS = "progress"


def reporter(folder: Path, fit: str) -> Callable[[str], None]:
    """A function that writes the line which a fit reports to the progress file of its trial.

    Args:
        folder: the trial's progress folder.
        fit: name of the fit; any but the main one (``fit``) is put before the line.

    The line only informs the user, so a file that cannot be written is ignored.
    """

    def report(line: str) -> None:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _PROGRESS).write_text(line if fit == "fit" else f"{fit} {line}", encoding="utf-8")

    return report


def last_line(folder: Path) -> str:
    """The line that a trial reported last; empty if there is none, or if it cannot be read on this machine."""
    with contextlib.suppress(OSError, ValueError):
        return (folder / _PROGRESS).read_text(encoding="utf-8")
    return ""


def latest(folder: Path) -> tuple[str, str] | None:
    """The trial below this folder that reported last, by name, and its line; None if none has reported."""
    with contextlib.suppress(OSError, ValueError):
        files = {file: file.stat().st_mtime_ns for file in folder.glob(f"*/{_PROGRESS}")}
        if files:
            file = max(files, key=lambda file: files[file])
            return file.parent.name, file.read_text(encoding="utf-8")
    return None
