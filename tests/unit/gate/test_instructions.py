"""Counting instructions: the verdicts, and how counts are read, with a Valgrind that only pretends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pybench.gate.instructions import Counts, count, describe, judge
from pybench.gate.process import Side, SideError
from pybench.gate.rule import Verdict

# Two ops: what came before, one call, two calls of each, and what came after.
PRETENDED = """#!{python}
import sys

(out,) = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--callgrind-out-file=")]
for number, total in enumerate([900, 110, 210, 40, 30, 50, 7], start=1):
    with open(f"{{out}}.{{number}}", "w") as file:
        file.write(f"version: 1\\nevents: Ir\\nfn=(1) f\\n1 5\\n\\ntotals: {{total}}\\n")
print({printed!r})
sys.exit({code})
"""
PRINTED = '{{"level": "avx2", "file": "{file}", "counted": ["a", "b"], "failed": {{"c": "TypeError: another"}}}}'


def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, code: int = 0) -> Side:
    script = tmp_path / "bin" / "valgrind"
    script.parent.mkdir()
    script.write_text(PRETENDED.format(python=sys.executable, printed=PRINTED.format(file=file), code=code))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return Side("base", ("python",), tmp_path / "tree")


def test_a_call_is_the_difference_of_two_and_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count(side(tmp_path, monkeypatch, str(tmp_path / "tree" / "_cpu.so")))
    assert counted == Counts("avx2", {"a": 100, "b": 20}, {"c": "TypeError: another"})


def test_another_build_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SideError, match="not below"):
        count(side(tmp_path, monkeypatch, str(tmp_path / "elsewhere" / "_cpu.so")))


def test_a_script_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SideError, match="code 5"):
        count(side(tmp_path, monkeypatch, str(tmp_path / "tree" / "_cpu.so"), code=5))


def test_verdicts() -> None:
    base = Counts("avx2", {"same": 1000, "more": 1000, "less": 1000, "gone": 10, "broken": 10}, {"young": "unknown"})
    head = Counts("avx2", {"same": 1010, "more": 1030, "less": 900, "young": 10}, {"broken": "TypeError: x"})
    assert {result.name: result.verdict for result in judge(base, head)} == {
        "same": Verdict.passed,
        "more": Verdict.regression,
        "less": Verdict.faster,
        "gone": Verdict.missing,
        "broken": Verdict.crash,
        "young": Verdict.new,
    }


def test_what_is_broken_on_both_sides_is_no_pass() -> None:
    broken = Counts("avx2", {}, {"a": "TypeError: x"})
    assert [result.verdict for result in judge(broken, broken)] == [Verdict.crash]


def test_the_path_is_named() -> None:
    counts = Counts("avx2", {}, {}), Counts("portable", {}, {})
    assert "avx2 and portable" in describe(counts)
