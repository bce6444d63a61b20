"""The cases of `pybench gate` run, and call what they are named for."""

from __future__ import annotations

import pytest

from pybench.gate import op_cases
from pybench.ops import record


@pytest.mark.parametrize("name", op_cases.CASES)
def test_an_op_runs_natively(name: str) -> None:
    call, level = op_cases.cases()[name]()
    with record() as used:
        call(0)
    op = name.split(",")[0]
    assert op in used
    assert set(used.values()) <= {level, "portable"}


def test_what_a_revision_lacks_is_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(op_cases.ops, "k_center")
    assert "k_center" not in op_cases.cases()
    assert "perlin_noise" in op_cases.cases()
