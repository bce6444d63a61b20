"""How errors are shown."""

from __future__ import annotations

import pytest


def test_several_problems_are_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    from pybench.cli.errors import complain

    complain("first\nsecond")
    assert capsys.readouterr().err == "error: first\n       second\n"
