"""What `make gate` compares with, and what it makes of the gate's exit code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "gate"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone with the script and a pybench that only says how it was called, and ends with the code in ``code``."""
    origin, folder = tmp_path / "origin", tmp_path / "checkout"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch", "main")
    commit(origin, "first")
    git(tmp_path, "clone", "--quiet", str(origin), str(folder))
    pybench = folder / ".venv" / "bin" / "pybench"
    for file in (pybench, folder / ".ci" / "gate"):
        file.parent.mkdir(parents=True)
    pybench.write_text('#!/bin/sh\necho "called: $*"\nexit $(cat code)\n')
    pybench.chmod(0o755)
    shutil.copy2(SCRIPT, folder / ".ci" / "gate")
    (folder / "code").write_text("0")
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, name: str) -> str:
    (folder / name).write_text(name)
    git(folder, "add", name)
    git(folder, "commit", "--quiet", "--message", name)
    return git(folder, "rev-parse", "HEAD")


def gate(checkout: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    (checkout / "code").write_text(str(code))
    return subprocess.run([str(checkout / ".ci" / "gate")], capture_output=True, text=True)


def test_the_base_is_what_landed_last(checkout: Path) -> None:
    landed = git(checkout, "rev-parse", "origin/main")
    commit(checkout, "second")
    commit(checkout, "third")
    assert f"called: gate --base {landed}" in gate(checkout).stdout


def test_on_main_it_is_the_commit_before(checkout: Path) -> None:
    before = git(checkout, "rev-parse", "HEAD")
    commit(checkout, "second")
    git(checkout, "push", "--quiet", "origin", "HEAD:other")
    git(checkout, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert f"called: gate --base {before}" in gate(checkout).stdout


def test_without_anything_before_it_says_so_and_goes_on(checkout: Path) -> None:
    done = gate(checkout)
    assert done.returncode == 0
    assert "No gate" in done.stdout


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (1, 1), (2, 2), (3, 0)])
def test_only_noise_is_let_through(checkout: Path, code: int, ends_with: int) -> None:
    commit(checkout, "second")
    done = gate(checkout, code)
    assert done.returncode == ends_with
    assert ("too noisy" in done.stdout) == (code == 3)
