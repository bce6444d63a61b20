"""`pybench gate` on the command line: what it prints, its exit codes, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pybench.cli.app import app
from pybench.gate import comparison as comparing
from pybench.gate import instructions, run
from pybench.gate.comparison import Comparison
from pybench.gate.instructions import Counts, judge
from pybench.gate.process import Side, SideError, Source
from pybench.gate.revisions import Revision
from pybench.gate.rule import CaseResult, Pairs, Verdict, case_result

BASE, HEAD = Revision("main", "0123456789abcdef", "tree"), Revision("worktree", "", "other")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["gate", *arguments])


def timed(name: str, slowdown: float, noise: float = 0.01) -> CaseResult:
    generator = np.random.default_rng(0)
    pairs = [
        Pairs(2e6 * generator.lognormal(0, noise, 60), 2e6 * slowdown * generator.lognormal(0, noise, 60))
        for _ in range(3)
    ]
    return case_result(name, pairs, 0)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[CaseResult]:
    """What the comparison gives, to be filled by a test."""
    results: list[CaseResult] = []
    monkeypatch.setattr(
        comparing, "compare_revisions", lambda *arguments: Comparison(BASE, HEAD, results, None, ("A note.",))
    )
    return results


def test_a_pass(found: list[CaseResult]) -> None:
    found.append(timed("k_center", 1.0))
    done = invoke()
    assert done.exit_code == 0
    assert "k_center" in done.output
    assert "pass" in done.output
    assert "A note." in done.output
    assert "the working tree against main (0123456789)" in done.output


def test_a_regression_is_named_and_explained(found: list[CaseResult]) -> None:
    found.extend([timed("k_center", 1.25), timed("perlin_noise", 1.0)])
    done = invoke()
    assert done.exit_code == 1
    assert "k_center: a call takes 2.5" in done.output
    assert "1.25 times" in done.output
    assert "3 of 3 process pairs" in done.output


def test_noise_is_exit_code_3(found: list[CaseResult]) -> None:
    found.extend([timed("k_center", 1.0, noise=2), timed("perlin_noise", 1.0)])
    done = invoke()
    assert done.exit_code == 3
    assert "This is not a pass" in done.output


@pytest.mark.parametrize("verdict", [Verdict.missing, Verdict.crash])
def test_what_did_not_run_is_exit_code_1(found: list[CaseResult], verdict: Verdict) -> None:
    found.append(CaseResult("k_center", verdict, "base has it, head has not"))
    done = invoke()
    assert done.exit_code == 1
    assert "head has not" in done.output


def test_markdown(found: list[CaseResult]) -> None:
    found.append(timed("k_center", 1.25))
    lines = invoke("--format", "markdown").output.splitlines()
    assert lines[0].startswith("### Time of one call, ms")
    assert lines[2] == "| case | base | head | head / base | 95 % interval | verdict |"
    assert any(line.startswith("| k_center | ") and line.endswith("| regression |") for line in lines)
    assert any(line.startswith("- k_center: a call takes") for line in lines)


def test_json_has_every_sample(found: list[CaseResult]) -> None:
    found.append(timed("k_center", 1.25))
    printed = json.loads(invoke("--format", "json", "--seed", "7").output)
    assert printed["exit_code"] == 1
    assert printed["seed"] == 7
    assert printed["base"]["commit"] == "0123456789abcdef"
    (case,) = printed["cases"]
    assert case["verdict"] == "regression"
    assert [len(pair["head_ns"]) for pair in case["process_pairs"]] == [60] * 3
    assert 1.2 < case["process_pairs"][0]["median"] < 1.3


def test_counts_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts("avx2", {"k_center": 1_000_000}, {}), Counts("avx2", {"k_center": 1_050_000}, {})
    gated = Comparison(BASE, HEAD, judge(*counts), counts, ())
    monkeypatch.setattr(comparing, "compare_revisions", lambda *arguments: gated)
    done = invoke("--format", "markdown")
    assert done.exit_code == 1
    assert "| k_center | 1,000,000 | 1,050,000 | 1.0500 |" in done.output
    assert "Counted the path for avx2: Valgrind has no AVX-512" in done.output
    assert json.loads(invoke("--format", "json").output)["cases"][0]["instructions"] == [1_000_000, 1_050_000]


@pytest.mark.parametrize(("side", "code"), [("head", 1), ("base", 2)])
def test_what_does_not_build(monkeypatch: pytest.MonkeyPatch, side: str, code: int) -> None:
    def fail(*arguments: object) -> None:
        raise SideError(side, "it does not build:\nkernel.cpp:1: error")

    monkeypatch.setattr(comparing, "compare_revisions", fail)
    done = invoke()
    assert done.exit_code == code
    assert "kernel.cpp:1: error" in done.output


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    done = invoke()
    assert done.exit_code == 2
    assert "not in a git repository" in done.output


def test_an_unknown_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    done = invoke("--base", "v9")
    assert done.exit_code == 2
    assert "--base v9" in done.output
    assert "Traceback" not in done.output


def test_without_valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = invoke("--instructions")
    assert done.exit_code == 2
    assert "apt-get install valgrind" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--instructions", "--suite", "smoke"),
        ("--instructions", "--case", "k_center"),
        ("--profile", "quick"),
        ("--filter", "method=padim"),
        ("--suite", "nosuch"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).exit_code == 2


# --- what is handed on --------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the comparison that the command hands on, without a build; what it was asked for."""
    seen: dict[str, Any] = {}

    def compare_revisions(folder: Path, base: str, head: str, compare: Any, report: object) -> Comparison:
        seen.update(base=base, head=head)
        results, counts = compare(Side("base", (), folder), Side("head", (), folder))
        return Comparison(BASE, HEAD, results, counts, ())

    def compare(base: Side, head: Side, source: Source, **options: Any) -> list[CaseResult]:
        seen.update(source=source, **options)
        return []

    monkeypatch.setattr(comparing, "compare_revisions", compare_revisions)
    monkeypatch.setattr(run, "compare", compare)
    return seen


def test_the_working_tree_is_compared_with_the_last_commit(asked: dict[str, Any]) -> None:
    assert invoke().exit_code == 0
    assert (asked["base"], asked["head"], asked["source"]) == ("HEAD", "worktree", Source("op_cases.py"))


def test_a_suite_is_handed_on_by_its_file(asked: dict[str, Any]) -> None:
    arguments = ("--suite", "smoke", "--profile", "smoke", "--filter", "method=padim", "--case", "x", "--seed", "4")
    assert invoke("--base", "main", "--head", "HEAD~1", *arguments).exit_code == 0
    options = asked["source"].options
    assert Path(options["suite"]).is_absolute()
    assert Path(options["suite"]).name == "smoke.yaml"
    assert (options["profile"], options["filters"], options["overrides"]) == ("smoke", {"method": "padim"}, {})
    assert (asked["base"], asked["head"], asked["wanted"], asked["seed"]) == ("main", "HEAD~1", ["x"], 4)


def test_both_sides_are_counted(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions.shutil, "which", lambda name: name)
    monkeypatch.setattr(instructions, "count", lambda side: Counts("avx2", {side.name: 1000, "k_center": 1000}, {}))
    done = invoke("--instructions", "--format", "json")
    assert done.exit_code == 1, "head lacks the op 'base'"
    verdicts = {case["case"]: case["verdict"] for case in json.loads(done.stdout)["cases"]}
    assert verdicts == {"base": "missing", "k_center": "pass", "head": "new"}
