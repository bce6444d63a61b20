"""Fixtures that several tests of planning use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench.planning.suite import load_suite


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Writes a suite to a file and reads it."""

    def read(text: str) -> Any:
        file = tmp_path / "mine.yaml"
        file.write_text(text)
        return load_suite(str(file))

    return read
