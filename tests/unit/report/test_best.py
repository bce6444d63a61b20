"""How a selection is printed."""

from __future__ import annotations

import pytest

from pybench.report.best import to_markdown
from tests.unit.report.detectors import FIVE, printed, select


@pytest.mark.parametrize("width", [72, 100, 120])
def test_the_table_fits_and_loses_nothing(width: int) -> None:
    text = printed(select(FIVE, "latency_p95_ms<=22"), width)
    table = text.partition("candidate")[2].partition("in %")[0]
    assert max(map(len, table.splitlines())) <= width
    for value in ("exact *", "90.0", "20.0", "1000", "85.0", "2500", "over latency_p95_ms<=22 by 8"):
        assert value in text


def test_markdown_has_the_best_in_bold() -> None:
    lines = to_markdown([select(FIVE)]).splitlines()
    assert "| **exact** | **90.0** | **10.0** | **20.0** | **18.0 to 20.0** | **1000** | **o** | **best** |" in lines
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
