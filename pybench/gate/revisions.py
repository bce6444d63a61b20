"""Revisions of a git repository, the working tree as it stands among them, and their files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pybench.types import InputError

WORKING_TREE = ("worktree", ".")


@dataclass(frozen=True)
class Revision:
    """A state of the repository: ``tree`` is git's hash of all its files, ``commit`` is empty for the working tree."""

    name: str
    commit: str
    tree: str

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:10]})" if self.commit else "the working tree"


class GitError(InputError):
    """A git command failed; the message names it and gives git's own reason."""


class Repository:
    """A git repository, which is only read.

    Args:
        folder: anywhere in it.
        scratch: an empty folder, for what git has to write to name the working tree's files.

    Raises:
        InputError: the folder is in no repository, or there is no git.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.top, self._scratch = folder, scratch
        self._variables: dict[str, str] = {}
        try:
            self.top = Path(self._git("rev-parse", "--show-toplevel"))
        except FileNotFoundError:
            raise InputError("the gate needs git, which is not installed here") from None
        except GitError as error:
            raise InputError(
                f"{folder}: not in a git repository, so there is nothing to compare with: {error}"
            ) from None
        objects = self.top / self._git("rev-parse", "--git-path", "objects")
        self._index = self.top / self._git("rev-parse", "--git-path", "index")
        (scratch / "objects").mkdir()
        # What git writes goes to the scratch folder; what it reads, it also finds in the repository.
        self._variables = {
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        }

    def revision(self, option: str, name: str) -> Revision:
        """What git resolves a name to; ``.`` and ``worktree`` stand for the working tree.

        Args:
            option: of the command line, for messages.

        Raises:
            InputError: there is no such revision here.
        """
        if name in WORKING_TREE:
            return Revision("worktree", "", self._working_tree())
        try:
            if name.startswith("-"):
                raise GitError(f"a revision's name does not begin with '-': {name}")
            commit = self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except GitError:
            raise InputError(
                f"{option} {name}: {self.top} has no such revision; expected a commit, a branch or a tag, or 'worktree'"
                f"{self._hint(name)}"
            ) from None
        return Revision(name, commit, self._git("rev-parse", f"{commit}^{{tree}}"))

    def is_dirty(self) -> bool:
        """Whether the working tree differs from HEAD."""
        return bool(self._git("status", "--porcelain"))

    def parts(self, revision: Revision) -> dict[str, str]:
        """Files and folders at the top of a revision's tree: hash by name."""
        lines = self._git("ls-tree", "-z", revision.tree).split("\0")
        return {name: head.split()[2] for head, _, name in (line.partition("\t") for line in lines if line)}

    def project(self, revision: Revision) -> str:
        """The project's name in ``pyproject.toml`` of a revision; empty where there is none."""
        try:
            content = tomllib.loads(self._git("show", f"{revision.tree}:pyproject.toml"))
        except (GitError, tomllib.TOMLDecodeError):
            return ""
        return str(content.get("project", {}).get("name", ""))

    def export(self, revision: Revision, folder: Path) -> None:
        """Write a revision's files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        index = {"GIT_INDEX_FILE": str(self._scratch / f"index-{revision.tree}")}
        self._git("read-tree", revision.tree, variables=index)
        self._git("checkout-index", "--all", "--force", f"--prefix={folder}{os.sep}", variables=index)

    def _working_tree(self) -> str:
        """The tree of all files that git tracks or does not ignore, as they are on the disk.

        Raises:
            InputError: git cannot add one of them.
        """
        copy = self._scratch / "index"
        if self._index.is_file():
            shutil.copy2(self._index, copy)  # spares git from reading files that have not changed
        index = {"GIT_INDEX_FILE": str(copy)}
        try:
            self._git("add", "--all", variables=index)
        except GitError as error:
            raise InputError(
                f"{self.top}: the working tree cannot be compared: {error}\ncommit, remove or ignore what git names"
            ) from None
        return self._git("write-tree", variables=index)

    def _hint(self, name: str) -> str:
        if self._git("rev-parse", "--is-shallow-repository") == "true":
            return f". The clone is shallow; `git fetch --unshallow`, or `git fetch origin {name}`, brings more"
        return ""

    def _git(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        environment = {**os.environ, **self._variables, **(variables or {})}
        done = subprocess.run(
            ["git", *arguments], cwd=self.top, env=environment, capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            reason = done.stderr.strip() or f"ended with code {done.returncode}"
            raise GitError(f"git {arguments[0]}: {reason}")
        return done.stdout.strip("\n")
