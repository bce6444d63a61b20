"""Times cases in a process of its own: a script that base's and head's interpreters run alike.

It imports the standard library only; cases come from a file beside it, whose ``cases(**options)`` gives builders by
name. What they import is the revision's own, and must lie below ``--root``. One request a line arrives on standard
input, one answer a line leaves on what was standard output, both JSON; what the code under test prints goes to standard
error.

{"do": "open", "cases": FILE, "options": {...}}     -> {"cases": [NAME, ...]}
{"do": "prepare", "case": NAME}                     -> {"input": TEXT}   what the case works on, equal on both sides
{"do": "run", "case": NAME, "calls": N, "first": I} -> {"ns": N}         calls I to I + N - 1, timed together
anything that raises                                -> {"error": TEXT, "trace": TEXT}
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

Call = Callable[[int], object]
Builder = Callable[[], tuple[Call, str]]


class Worker:
    """The cases of one process.

    Args:
        root: folder in which every module of the packages under test must lie.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._packages: list[str] = []  # under test
        self._builders: dict[str, Builder] = {}
        self._ready: dict[str, Call] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a request asks for, or the error that it ended in."""
        try:
            return getattr(self, f"_{request.pop('do')}")(**request)  # type: ignore[no-any-return]
        except (Exception, SystemExit) as error:
            return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}

    def _open(self, cases: str, options: dict[str, Any]) -> dict[str, Any]:
        specification = importlib.util.spec_from_file_location("_gate_cases", cases)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        self._builders = module.cases(**options)
        self._packages = module.PACKAGES or [options["package"]]
        self._check_origin()
        return {"cases": list(self._builders)}

    def _prepare(self, case: str) -> dict[str, Any]:
        self._ready[case], seen = self._builders[case]()
        self._check_origin()
        return {"input": seen}

    def _run(self, case: str, calls: int, first: int) -> dict[str, Any]:
        call = self._ready[case]
        gc.disable()
        try:
            before = time.perf_counter_ns()
            for index in range(first, first + calls):
                call(index)
            return {"ns": time.perf_counter_ns() - before}
        finally:
            gc.enable()

    def _check_origin(self) -> None:
        """See that the loaded modules of the packages under test are those of this revision.

        Raises:
            ImportError: a module lies elsewhere, so other code would be measured.
        """
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and name.split(".")[0] in self._packages and not Path(file).resolve().is_relative_to(self._root):
                raise ImportError(f"{name} was imported from {file}, which is not below {self._root}")


def serve(worker: Worker, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


def main(root: str) -> None:
    """Serve the pipes; what runs here reads nothing from them and prints to standard error."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    serve(Worker(Path(root)), requests, answers)


if __name__ == "__main__":
    main(sys.argv[1])
