"""The pytest fixture ``gate``, in pytest runs of its own over a tiny repository."""

from __future__ import annotations

import json
import subprocess

import pytest

pytest_plugins = ["pytester"]

TEST = """
    def test_calls(gate):
        result = gate("calls:{factory}")
        print("verdict", None if result is None else str(result.verdict))
"""
FEW = """
    from pybench.gate import run

    run.PAIRS, run._MOST_ROUNDS, run._SAMPLE_NS = {pairs}, 1, 200_000
"""
CALLS = """
    def steady():
        return lambda: sum(range(2000))
"""
SLOWER = """
    def steady():
        return lambda: sum(range(20000))
"""


@pytest.fixture(autouse=True)
def no_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs here are no workers of xdist, whatever runs these tests: pytest-benchmark stores nothing there."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def repository(pytester: pytest.Pytester, factory: str = "steady", pairs: int = 20) -> None:
    """A committed module ``calls``, a test that gates it, and few short samples."""
    pytester.makepyfile(calls=CALLS, test_calls=TEST.format(factory=factory))
    pytester.makeconftest(FEW.format(pairs=pairs))
    git(pytester, "init", "--quiet")
    git(pytester, "add", "calls.py", "test_calls.py")
    git(pytester, "-c", "user.name=no", "-c", "user.email=no@example.invalid", "commit", "--quiet", "-m", "first")


def git(pytester: pytest.Pytester, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=pytester.path, check=True)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "pybench.gate.pytest_plugin", "-rA", *arguments)


def test_without_a_base_nothing_is_compared(pytester: pytest.Pytester) -> None:
    repository(pytester)
    done = run(pytester)
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*verdict None*"])


def test_a_slow_down_fails_with_the_explanation(pytester: pytest.Pytester) -> None:
    """Ten times the work: no machine is too noisy to tell."""
    repository(pytester)
    pytester.makepyfile(calls=SLOWER)
    done = run(pytester, "--gate-base", "HEAD", "--benchmark-json", "times.json")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*calls:steady: a call takes*of HEAD*process pairs*"])
    (stored,) = json.loads((pytester.path / "times.json").read_text())["benchmarks"]
    assert stored["extra_info"]["verdict"] == "regression"
    assert stored["extra_info"]["median"] > 5
    assert stored["stats"]["rounds"] == 3 * 20
    assert 0 < stored["stats"]["median"] < 1


def test_the_package_may_lie_where_pytest_finds_it(pytester: pytest.Pytester) -> None:
    repository(pytester)
    pytester.makeini("[pytest]\npythonpath = src\n")
    (pytester.mkdir("src") / "calls.py").write_text((pytester.path / "calls.py").read_text())
    git(pytester, "rm", "--quiet", "-f", "calls.py")
    git(pytester, "add", "src/calls.py")
    git(pytester, "-c", "user.name=no", "-c", "user.email=no@example.invalid", "commit", "--quiet", "-m", "moved")
    (pytester.path / "src" / "calls.py").write_text("")
    done = run(pytester, "--gate-base", "HEAD")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*base has it, head has not*"])


def test_what_is_gone_fails(pytester: pytest.Pytester) -> None:
    repository(pytester)
    pytester.makepyfile(calls="")
    done = run(pytester, "--gate-base", "HEAD")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*base has it, head has not*"])


def test_what_is_new_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    repository(pytester, "young")
    pytester.makepyfile(calls=CALLS + "\n    young = steady\n")
    done = run(pytester, "--gate-base", "HEAD")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["*calls:young: new*"])


def test_noise_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    """The rule itself is tested where its samples are made up; here it says that the machine is noisy, always."""
    repository(pytester)
    noisy = "    from pybench.gate import rule\n    rule.verdict = lambda ratios: rule.Verdict.noisy\n"
    pytester.makeconftest(FEW.format(pairs=4) + noisy)
    done = run(pytester, "--gate-base", "HEAD")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["*too noisy to tell*"])


@pytest.mark.parametrize(
    ("factory", "base", "words"),
    [
        ("steady", "nosuch", "*--gate-base nosuch*no such revision*"),
        ("nowhere", "HEAD", "*neither HEAD nor the working tree has it*"),
        ("not a name", "HEAD", "*expected 'package.module:factory'*"),
    ],
)
def test_what_cannot_be_used_is_explained(pytester: pytest.Pytester, factory: str, base: str, words: str) -> None:
    repository(pytester, factory)
    done = run(pytester, "--gate-base", base)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([words])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_a_test_gates_once(pytester: pytest.Pytester) -> None:
    repository(pytester)
    pytester.makepyfile(test_calls=TEST.format(factory="steady") + "        gate('calls:steady')\n")
    done = run(pytester)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*a test gates one factory*"])


def test_without_pytest_benchmark(pytester: pytest.Pytester) -> None:
    repository(pytester)
    run(pytester, "-p", "no:benchmark").assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_of_weight(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            assert "pybench.gate.pytest_plugin" in sys.modules
            assert not {"torch", "numpy", "pydantic", "pybench.gate.run"} & set(sys.modules)
        """
    )
    run(pytester, "-p", "no:benchmark").assert_outcomes(passed=1)
