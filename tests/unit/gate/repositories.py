"""Git repositories for the tests of the gate."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pybench.gate.revisions import Repository


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def opened(folder: Path, tmp_path: Path) -> Repository:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Repository(folder, scratch)
