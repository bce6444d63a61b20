"""The pytest fixture ``gate``: times a user's own code, and with ``--gate-base REV`` gates it against that revision.

Loaded into every pytest run where pybench is installed, so it imports nothing before a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pybench.gate.rule import CaseResult

Gate = Callable[[str], "CaseResult | None"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--gate-base``."""
    group = parser.getgroup("pybench gate")
    group.addoption(
        "--gate-base",
        metavar="REV",
        help="Revision that the fixture `gate` compares with: a commit, a branch or a tag. Without it, nothing is "
        "compared: the working tree is timed.",
    )


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Gate:
    """``gate("package.module:factory")`` times the call that ``factory()`` returns, in fresh processes.

    The test fails where the working tree's call is slower than that of ``--gate-base``, by the rule of `pybench gate`,
    where it crashed, and where it is not there any more; it is skipped, with the reason, where the machine was too
    noisy to tell and where the base has no such factory. Without ``--gate-base`` it is timed only. Where
    pytest-benchmark is installed, it shows and stores the times. Once a test.
    """
    from pybench.gate.fixture import measure

    used: list[str] = []

    def call(factory: str) -> CaseResult | None:
        if used:
            pytest.fail(f"gate({factory!r}): a test gates one factory, and this one has gated {used[0]!r}")
        used.append(factory)
        return measure(request, factory, request.config.getoption("gate_base"))

    return call
