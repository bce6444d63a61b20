"""Comparison of two revisions of pybench: both are built, then measured side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pybench.gate.environments import environments
from pybench.gate.instructions import Counts
from pybench.gate.process import Side
from pybench.gate.revisions import WORKING_TREE, Repository, Revision
from pybench.gate.rule import CaseResult
from pybench.types import InputError

Compare = Callable[[Side, Side], tuple[Sequence[CaseResult], tuple[Counts, Counts] | None]]


@dataclass(frozen=True)
class Comparison:
    """What was found. ``counts`` are base's and head's where instructions were counted, None where times were
    measured; ``notes`` are sentences for the user on what was compared."""

    base: Revision
    head: Revision
    results: Sequence[CaseResult]
    counts: tuple[Counts, Counts] | None
    notes: tuple[str, ...]


def compare_revisions(
    folder: Path, base: str, head: str, compare: Compare, report: Callable[[str], None]
) -> Comparison:
    """Build two revisions, each in an environment of its own, and compare them.

    Args:
        folder: in the git repository of pybench.
        base: a revision, or ``worktree`` for the files as they are.
        head: the same.
        compare: measures base and head, which it gets ready to run.
        report: gets a line on the progress.

    Raises:
        InputError: no such revision, no repository, not that of pybench.
        SideError: a revision does not build, or its code cannot be measured.
    """
    with tempfile.TemporaryDirectory(prefix="pybench-gate-") as scratch:
        repository = Repository(folder, Path(scratch))
        of_base, of_head = repository.revision("--base", base), repository.revision("--head", head)
        for revision in (of_base, of_head):
            if repository.project(revision) != "pybench":
                raise InputError(
                    f"{repository.top}: {revision} is not a source tree of pybench, which this command builds and "
                    "compares; your own code is gated by the pytest fixture `gate` (docs/guide/gate.md)"
                )
        notes = tuple(_notes(repository, of_base, of_head))
        with environments(report) as cached:
            sides = cached.side("base", repository, of_base), cached.side("head", repository, of_head)
            return Comparison(of_base, of_head, *compare(*sides), notes)


def _notes(repository: Repository, base: Revision, head: Revision) -> Iterator[str]:
    if base.tree == head.tree:
        yield "Base and head are the same files: what is measured is what this machine's noise looks like."
    if head.name not in WORKING_TREE and repository.is_dirty():
        yield "The working tree has changes that are not committed; they were not measured (--head worktree does)."
