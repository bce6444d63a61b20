"""Constraints on latency and memory as they are written."""

from __future__ import annotations

import pytest

from pybench.results.constraints import parse
from pybench.types import InputError


def test_constraints_are_read() -> None:
    first, second = parse(["latency_p95_ms<=20", " peak_memory_mb <= 1e3 "], "--under")
    assert str(first) == "latency_p95_ms<=20"
    assert first.excess({"latency_p95_ms": 25.0}) == 5
    assert second.excess({"peak_memory_mb": 1000.0}) == 0
    assert parse([str(first), str(second)], "--under") == parse([f"{first}, {second}"], "--under") == (first, second)


@pytest.mark.parametrize("option", ["--constraint", "--under"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency_p95<=20", "did you mean 'latency_p95_ms'?"),
        ("latency_p95_ms<20", "only <= is known here, as in 'latency_p95_ms<=20'"),
        ("latency_p95_ms", "expected QUANTITY<=NUMBER"),
        ("", "expected QUANTITY<=NUMBER"),
        ("latency_p95_ms<=fast", "expected a number above 0 after <=, got fast"),
        ("latency_p95_ms<=0", "expected a number above 0"),
        ("latency_p95_ms<=nan", "expected a number above 0"),
    ],
)
def test_what_is_wrong_in_a_limit_is_named(text: str, message: str, option: str) -> None:
    with pytest.raises(InputError) as error:
        parse([text], option)
    assert str(error.value).startswith(f"{option} {text}: ")
    assert message in str(error.value)


def test_a_quantity_is_limited_once() -> None:
    with pytest.raises(InputError, match="--under latency_p95_ms<=4: latency_p95_ms is limited already"):
        parse(["latency_p95_ms<=3", "latency_p95_ms<=4"], "--under")
