"""The gate's worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.gate.process import CaseError, Side, Worker
from tests.unit.gate.sides import side, source


def test_code_of_another_tree_is_refused(tmp_path: Path) -> None:
    """As where an editable install gets in before the revision's own files."""
    here, there = side(tmp_path, "here", "fine"), side(tmp_path, "there", "fine")
    with Worker(Side("base", here.python, here.root, there.variables)) as worker:
        worker.open(source("fine"))
        with pytest.raises(CaseError, match="not below"):
            worker.opened()
