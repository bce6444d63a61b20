"""Revisions of a small git repository: names, the working tree, files; and the environments that are kept of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pybench.gate import environments as kept
from pybench.gate.between import between
from pybench.gate.environments import environments
from pybench.gate.process import SideError
from pybench.gate.revisions import Repository
from pybench.types import InputError

Git = Callable[..., str]


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


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def opened(folder: Path, tmp_path: Path) -> Repository:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Repository(folder, scratch)


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


@pytest.mark.parametrize("name", ["nosuch", "-x", "", "HEAD~9", "HEAD:one"])
def test_an_unknown_revision_is_told(repository: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="has no such revision"):
        opened(repository, tmp_path).revision("--base", name)


def test_a_shallow_clone_is_told_how_to_get_more(repository: Path, tmp_path: Path) -> None:
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


def test_another_project_is_pointed_to_the_fixture(repository: Path) -> None:
    with pytest.raises(InputError, match="pytest fixture"):
        between(repository, "HEAD", "worktree", lambda base, head: ([], None), print)


# --- environments, with builds that pretend -----------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the trees that were built, in a cache of its own."""
    trees: list[str] = []

    def build(place: Path, repository: Repository, revision: object) -> None:
        place.mkdir(parents=True)
        trees.append(place.name)

    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept, "_build", build)
    return trees


def test_what_was_built_is_not_built_again(repository: Path, tmp_path: Path, built: list[str]) -> None:
    seen = opened(repository, tmp_path)
    for _ in range(2):
        with environments(print) as places:
            side = places.side("base", seen, seen.revision("--base", "HEAD"))
    assert len(built) == 1
    assert side.root.name == built[0]
    assert side.python[1] == "-I", "nothing of the caller's environment gets in"


def test_documentation_is_no_part_of_a_build(repository: Path, tmp_path: Path, built: list[str]) -> None:
    seen = opened(repository, tmp_path)
    with environments(print) as places:
        places.side("base", seen, seen.revision("--base", "worktree"))
        (repository / "docs").mkdir()
        (repository / "docs" / "text.md").write_text("text")
        places.side("head", seen, seen.revision("--head", "worktree"))
        assert len(built) == 1
        (repository / "three").write_text("other")
        places.side("head", seen, seen.revision("--head", "worktree"))
        assert len(built) == 2


def test_only_so_many_are_kept(
    repository: Path, tmp_path: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_KEPT", 2)
    seen = opened(repository, tmp_path)
    with environments(print) as places:
        for number in range(4):
            (repository / "three").write_text(str(number))
            side = places.side("head", seen, seen.revision("--head", "worktree"))
            os.utime(side.root / "built", (number, number))
        left = {folder.name for folder in (tmp_path / "cache" / "gate").iterdir() if folder.is_dir()}
    assert left == set(built[-2:])


def test_a_build_that_fails_is_told_and_not_kept(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))

    def fail(place: Path, repository: Repository, revision: object) -> None:
        place.mkdir(parents=True)
        kept._run("sh", "-c", "echo it is broken; exit 1")

    monkeypatch.setattr(kept, "_build", fail)
    seen = opened(repository, tmp_path)
    for _ in range(2):
        with environments(print) as places, pytest.raises(SideError, match="it is broken") as raised:
            places.side("head", seen, seen.revision("--head", "worktree"))
        assert raised.value.side == "head"


def test_the_running_pybench_is_no_dependency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "site-packages"
    monkeypatch.setattr(kept.sys, "path", ["", str(tmp_path / "a-checkout"), str(packages)])
    assert kept._dependencies() == [str(packages)]
