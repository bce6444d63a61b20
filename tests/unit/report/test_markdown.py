"""The result table as Markdown."""

from __future__ import annotations

from pybench.report.markdown import to_markdown
from pybench.report.summary import summaries
from tests.unit.report.measured_trials import THREE, results


def test_markdown_has_one_cell_per_value() -> None:
    lines = to_markdown(summaries(results(THREE))).splitlines()
    (row,) = [line for line in lines if line.startswith("| metal_nut")]
    assert row == "| metal_nut | 53.0 | 63.0 | 73.0 | 53.1† | 63.1† | 73.1† | **53.2** | **63.2** | **73.2** |"
    tables = [line.count("|") for line in lines if line.startswith("|")]
    assert set(tables[:6]) == {11}
    assert "| padim | 53.1† | 63.1† | 73.1† | **5.68** | 6.81 | 2.84 | 512 | 2.0 |" in lines
