"""Revisions of a small git repository: names, the working tree, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.types import InputError
from tests.unit.gate.repositories import git, opened


def files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir() if file.name != ".gitignore"}


def test_a_commit_is_exported_as_it_was(repository: Path, tmp_path: Path) -> None:
    seen = opened(repository, tmp_path)
    seen.export(seen.revision("--base", "HEAD~1"), tmp_path / "first")
    seen.export(seen.revision("--base", "main"), tmp_path / "second")
    assert files(tmp_path / "first") == {"one": "one"}
    assert files(tmp_path / "second") == {"one": "one", "two": "two"}


@pytest.mark.parametrize("name", [".", "worktree"])
def test_the_working_tree_is_what_git_does_not_ignore(repository: Path, tmp_path: Path, name: str) -> None:
    seen = opened(repository / "." if name == "." else repository, tmp_path)
    revision = seen.revision("--head", name)
    seen.export(revision, tmp_path / "files")
    assert files(tmp_path / "files") == {"one": "changed", "three": "three"}
    assert str(revision) == "the working tree"
    assert seen.is_dirty()


def test_the_repository_stays_as_it_is(repository: Path, tmp_path: Path) -> None:
    before = git(repository, "status", "--porcelain"), git(repository, "count-objects")
    opened(repository, tmp_path).revision("--head", "worktree")
    assert before == (git(repository, "status", "--porcelain"), git(repository, "count-objects"))


def test_equal_files_have_equal_trees(repository: Path, tmp_path: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "all")
    seen = opened(repository, tmp_path)
    assert seen.revision("--head", "worktree").tree == seen.revision("--base", "HEAD").tree
    assert not seen.is_dirty()


def test_a_repository_without_a_commit_has_a_working_tree(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "file").write_text("text")
    seen = opened(folder, tmp_path)
    assert "file" in seen.parts(seen.revision("--head", "worktree"))
    with pytest.raises(InputError, match="no such revision"):
        seen.revision("--base", "HEAD")


def test_a_working_tree_that_git_cannot_add_is_explained(repository: Path, tmp_path: Path) -> None:
    """As where another repository without a commit lies in it."""
    (repository / "other").mkdir()
    git(repository / "other", "init", "--quiet")
    with pytest.raises(InputError, match=r"the working tree cannot be compared: git add: .*'other/'"):
        opened(repository, tmp_path).revision("--head", "worktree")


@pytest.mark.parametrize("name", ["nosuch", "-x", "", "HEAD~9", "HEAD:one"])
def test_an_unknown_revision_is_refused(repository: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="has no such revision"):
        opened(repository, tmp_path).revision("--base", name)


def test_a_shallow_clone_says_how_to_get_more(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    with pytest.raises(InputError, match="git fetch"):
        opened(tmp_path / "shallow", tmp_path).revision("--base", "HEAD~1")


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="not in a git repository"):
        opened(tmp_path, tmp_path)


def test_without_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs git"):
        opened(repository, tmp_path)
