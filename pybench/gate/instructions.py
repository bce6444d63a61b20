"""Instructions that the native ops execute, counted by Valgrind: free of noise, but blind to caches and waiting.

Valgrind has no AVX-512, so it counts the path that the ops take without it. Where the processor has it, another runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybench.gate.process import ONE_THREAD, Side, SideError
from pybench.gate.rule import CaseResult, Verdict
from pybench.types import InputError

_SCRIPT = Path(__file__).with_name("native_cases.py")
MORE = 1.02  # times the instructions, from which a case counts as a regression
_LOG_LINES = 15


@dataclass(frozen=True)
class Counts:
    """Instructions of one call by op, the reason for each op that could not be called, and the instruction set."""

    level: str
    instructions: dict[str, int]
    failed: dict[str, str]


def require_valgrind() -> None:
    """See that Valgrind is installed.

    Raises:
        InputError: it is not.
    """
    if shutil.which("valgrind") is None:
        raise InputError(
            "--instructions counts with Valgrind, which is not installed here (sudo apt-get install valgrind); "
            "without the option, times are measured"
        )


def count(side: Side) -> Counts:
    """Count each op of a side. Equal builds give equal counts, within a few hundred instructions.

    Raises:
        SideError: the script fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts", "--dump-before=getsid"]
        variables = {"PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc", **ONE_THREAD}
        done = subprocess.run(
            [*command, *side.python, str(_SCRIPT)], capture_output=True, text=True, env={**os.environ, **variables}
        )
        if done.returncode:
            last = "\n".join(done.stderr.splitlines()[-_LOG_LINES:])
            raise SideError(side.name, f"{side.name}: counting ended with code {done.returncode}\n{last}")
        printed: dict[str, Any] = json.loads(done.stdout)
        if not Path(printed["file"]).resolve().is_relative_to(side.root.resolve()):
            raise SideError(side.name, f"{side.name}: counted {printed['file']}, which is not below {side.root}")
        dumps = list(_totals(Path(folder)))
    # Per op: what came before, one call, two calls.
    per_op = [dumps[index : index + 3] for index in range(0, 3 * len(printed["counted"]), 3)]
    found = {name: two - one for name, (_, one, two) in zip(printed["counted"], per_op, strict=True)}
    return Counts(printed["level"], found, printed["failed"])


def compare(base: Side, head: Side, report: Callable[[str], None]) -> tuple[list[CaseResult], tuple[Counts, Counts]]:
    """The verdict on each op, a regression where head executes over 2 % more instructions, and the counts.

    Raises:
        SideError: a side's ops cannot be counted.
    """
    counts = []
    for side in (base, head):
        report(f"counting the instructions of {side.name}")
        counts.append(count(side))
    return judge(*counts), (counts[0], counts[1])


def judge(base: Counts, head: Counts) -> list[CaseResult]:
    """The verdict on each op that base or head has."""
    return [_case_result(name, base, head) for name in {**base.instructions, **head.instructions, **head.failed}]


def describe(counts: tuple[Counts, Counts]) -> str:
    """A sentence on which path was counted."""
    levels = " and ".join(dict.fromkeys(of_side.level for of_side in counts))
    return (
        f"Counted the path for {levels}: Valgrind has no AVX-512, so where the processor has it, another path runs. "
        "What Python does around the ops is not counted, nor caches, nor waiting."
    )


def _case_result(name: str, base: Counts, head: Counts) -> CaseResult:
    if name in head.failed:
        return CaseResult(name, Verdict.crash, f"head: {head.failed[name]}")
    if name not in base.instructions:
        return CaseResult(name, Verdict.new, f"base: {base.failed.get(name, 'does not know it')}")
    if name not in head.instructions:
        return CaseResult(name, Verdict.missing, "base has it, head has not")
    ratio = head.instructions[name] / base.instructions[name]
    verdict = Verdict.regression if ratio > MORE else Verdict.faster if ratio < 1 / MORE else Verdict.passed
    return CaseResult(name, verdict, f"executes {ratio:.3f} times the instructions of base")


def _totals(folder: Path) -> Iterator[int]:
    """Instructions of each file of counts, in the order in which they were written."""
    files = sorted(folder.glob("counts.*"), key=lambda file: int(file.suffix.removeprefix(".")))
    for file in files:
        found = re.search(r"^(?:totals|summary): (\d+)", file.read_text(errors="replace"), flags=re.MULTILINE)
        yield int(found[1]) if found else 0
