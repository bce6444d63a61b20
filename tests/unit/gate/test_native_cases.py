"""The cases of `pybench gate --instructions` run, without torch."""

from __future__ import annotations

import pytest

from pybench.gate import native_cases


@pytest.mark.parametrize("name", native_cases.CASES)
def test_an_op_runs_without_torch(name: str) -> None:
    native_cases.CASES[name]()()
