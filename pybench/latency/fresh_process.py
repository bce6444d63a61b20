"""Runs an order in a fresh process and waits for the answer; see ``pybench.latency.worker``.

The process is this Python with this environment, and with a limit on the threads that its libraries may start.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pybench.latency.worker import Failed, Fit, Time
from pybench.machine.environment import THREAD_VARIABLES
from pybench.records import Status

_LAST_OUTPUT = 4000  # characters of the process's output that an error keeps
Answer = TypeVar("Answer", bound=BaseModel)


class MeasurementError(Exception):
    """The process gave no answer, or answered why it has none."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, reason, traceback


def ask(order: Fit | Time, threads: int, kind: type[Answer]) -> Answer:
    """The answer to an order, of the kind that belongs to it.

    Raises:
        MeasurementError: the method raised, memory ran out, the process died, or it took longer than the job may.
    """
    with tempfile.TemporaryDirectory(prefix="pybench-") as name:
        folder = Path(name)
        (folder / "order").write_bytes(pickle.dumps(order))
        ending = _run(folder, threads, order.job.minutes)
        try:
            content = (folder / "answer.json").read_bytes()
        except FileNotFoundError:
            output = (folder / "output").read_text(errors="replace")[-_LAST_OUTPUT:]
            raise MeasurementError(*ending, output) from None
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        failed = Failed.model_validate_json(content)
        raise MeasurementError(failed.status, failed.reason, failed.traceback) from None


def _run(folder: Path, threads: int, minutes: float) -> tuple[Status, str]:
    """Run the process to its end; returns the status and reason that apply if it left no answer."""
    command = [sys.executable, "-P", "-m", "pybench.latency.worker", str(folder)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    with (
        (folder / "output").open("wb") as output,
        # Its standard input stays open for as long as this process lives.
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            code = process.wait(None if math.isinf(minutes) else 60 * minutes)
        except subprocess.TimeoutExpired:
            process.kill()
            return "timeout", f"took longer than {minutes:g} minutes"
        except BaseException:
            process.kill()
            raise
    if code >= 0:
        return "failed", f"its process ended without an answer (exit code {code})"
    name = signal.Signals(-code).name
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return "failed", f"its process died ({name}){hint}"
