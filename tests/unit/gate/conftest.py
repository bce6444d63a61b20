"""A small git repository for the tests of the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.gate.repositories import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: the first has ``one``, the second ``two`` as well; then both are changed and ``three`` is added."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "nobody")
    git(folder, "config", "user.email", "nobody@example.invalid")
    (folder / ".gitignore").write_text("*.log\n")
    for name in ("one", "two"):
        (folder / name).write_text(name)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", name)
    (folder / "one").write_text("changed")
    (folder / "two").unlink()
    (folder / "three").write_text("three")
    (folder / "big.log").write_text("ignored")
    return folder
