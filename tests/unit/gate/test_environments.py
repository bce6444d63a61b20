"""The environments that are kept of revisions, with builds that only pretend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybench.gate import environments as kept
from pybench.gate.environments import environments
from pybench.gate.process import SideError
from pybench.gate.revisions import Repository
from tests.unit.gate.repositories import opened


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


def test_a_build_that_fails_is_an_error_and_not_kept(
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
