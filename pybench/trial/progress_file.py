"""What is known of trials that have not ended: how far each is, beside its checkpoints, in a folder of its own.

<run>/underway/<trial>/progress           one line
<run>/underway/<trial>/<fit>/<phase>.pt   checkpoints, by ``pybench.training.loop``
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

_PROGRESS = "progress"


def reporter(folder: Path, fit: str) -> Callable[[str], None]:
    """Keeps the last line that a fit reports. The line is for the user's eyes: that it cannot be kept harms nothing."""

    def report(line: str) -> None:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _PROGRESS).write_text(line if fit == "fit" else f"{fit} {line}", encoding="utf-8")

    return report


def last_line(folder: Path) -> str:
    """What a trial reported last; empty where it reported nothing that can be seen from here."""
    with contextlib.suppress(OSError, ValueError):
        return (folder / _PROGRESS).read_text(encoding="utf-8")
    return ""


def latest(folder: Path) -> tuple[str, str] | None:
    """Name of the trial that reported last below this folder, and what; None where none has."""
    with contextlib.suppress(OSError, ValueError):
        files = {file: file.stat().st_mtime_ns for file in folder.glob(f"*/{_PROGRESS}")}
        if files:
            file = max(files, key=lambda file: files[file])
            return file.parent.name, file.read_text(encoding="utf-8")
    return None
