"""Comparison of two revisions: what it refuses before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.gate.comparison import compare_revisions
from pybench.types import InputError


def test_another_project_is_pointed_to_the_fixture(repository: Path) -> None:
    with pytest.raises(InputError, match="pytest fixture"):
        compare_revisions(repository, "HEAD", "worktree", lambda base, head: ([], None), print)
