"""Worker processes (worker.py) as the gate starts and asks them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SCRIPT = Path(__file__).with_name("worker.py")
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS")
}
_LOG_LINES = 15


@dataclass(frozen=True)
class Side:
    """Base or head, ready to run: its interpreter with options, the folder in which its code must lie, and further
    variables of its environment."""

    name: str
    python: tuple[str, ...]
    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where the cases come from: a file beside worker.py, and the options of its ``cases``."""

    file: str
    options: Mapping[str, Any] = field(default_factory=dict)


class SideError(Exception):
    """Base or head cannot be measured at all: it does not build or cannot be loaded. The message says why."""

    def __init__(self, side: str, reason: str) -> None:
        super().__init__(reason)
        self.side = side


class CaseError(Exception):
    """A case raised; the process that ran it goes on. The message names the side."""


class WorkerDied(Exception):
    """The process is gone; the message names the side, how it ended, and the last lines that it printed."""


class Worker:
    """A fresh process of a side, one thread, from ``with`` to its end."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed at the end of ``with``)
        self._process = subprocess.Popen(
            [*side.python, str(_SCRIPT), str(side.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **ONE_THREAD, **side.variables},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            CaseError: it raised.
            WorkerDied: the process ended instead of answering.
        """
        self._send(request)
        return self._answer()

    def open(self, source: Source) -> None:
        """Begin to load a source; several workers do it at once."""
        self._send({"do": "open", "cases": str(_SCRIPT.with_name(source.file)), "options": dict(source.options)})

    def opened(self) -> list[str]:
        """Wait until the source is loaded: names of the cases of this side. For the errors see ``ask``."""
        cases: list[str] = self._answer()["cases"]
        return cases

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # the process has ended; so reading its answer finds that
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerDied(self._how_it_ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CaseError(f"{self.side.name}: {answer['error']}")
        return answer

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join([f"{self.side.name}: the process {how}", *lines])
