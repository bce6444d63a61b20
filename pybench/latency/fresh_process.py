"""Fresh processes that carry out an order; see ``pybench.latency.worker``.

A process is this Python with this environment, and with a limit on the threads that its libraries may start. It imports
what it needs and then waits for its turn, so that several can start side by side and be measured one after another.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ValidationError

from pybench.latency.worker import BEGIN, Failed, Fit, Time
from pybench.machine.environment import THREAD_VARIABLES
from pybench.records import Status

_LAST_OUTPUT = 4000  # characters of the process's output that an error keeps
_POLL_SECONDS = 0.02
Answer = TypeVar("Answer", bound=BaseModel)


class MeasurementError(Exception):
    """The process gave no answer, or answered why it has none."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, reason, traceback


class FreshProcess:
    """A process with its order; it ends with the context at the latest.

    Args:
        order: what it is to do.
        threads: that its libraries may start.
    """

    def __init__(self, order: Fit | Time, threads: int) -> None:
        self._minutes = order.job.minutes
        self._seconds = None if math.isinf(self._minutes) else 60 * self._minutes
        self._resources = ExitStack()
        self._folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="pybench-")))
        (self._folder / "order").write_bytes(pickle.dumps(order))
        command = [sys.executable, "-P", "-m", "pybench.latency.worker", str(self._folder)]
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
        with (self._folder / "output").open("wb") as output:
            # Its standard input tells it when to begin, and stays open for as long as this process lives.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._resources.close()

    def wait_until_ready(self) -> None:
        """Return when it has imported what it needs, or has ended.

        Raises:
            MeasurementError: that took longer than the job may.
        """
        started = time.monotonic()
        while self._process.poll() is None and not (self._folder / "ready").exists():
            if self._seconds is not None and time.monotonic() - started > self._seconds:
                raise MeasurementError(*self._too_long())
            time.sleep(_POLL_SECONDS)

    def ask(self, kind: type[Answer]) -> Answer:
        """Let it carry out its order; returns the answer, of the kind that belongs to the order.

        Raises:
            MeasurementError: the method raised, memory ran out, the process died, or it took longer than the job may.
        """
        ending = self._run()
        try:
            content = (self._folder / "answer.json").read_bytes()
        except FileNotFoundError:
            output = (self._folder / "output").read_text(errors="replace")[-_LAST_OUTPUT:]
            raise MeasurementError(*ending, output) from None
        try:
            return kind.model_validate_json(content)
        except ValidationError:
            failed = Failed.model_validate_json(content)
            raise MeasurementError(failed.status, failed.reason, failed.traceback) from None

    def _run(self) -> tuple[Status, str]:
        """Let it run to its end; returns the status and reason that apply if it left no answer."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended
            self._process.stdin.write(BEGIN)
            self._process.stdin.flush()
        try:
            return _ending(self._process.wait(self._seconds))
        except subprocess.TimeoutExpired:
            return self._too_long()

    def _too_long(self) -> tuple[Status, str]:
        return "timeout", f"took longer than {self._minutes:g} minutes"


def _ending(code: int) -> tuple[Status, str]:
    if code >= 0:
        return "failed", f"its process ended without an answer (exit code {code})"
    name = signal.Signals(-code).name
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return "failed", f"its process died ({name}){hint}"
