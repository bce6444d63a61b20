"""How a result table looks, on terminals of any width and as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from pybench.records import Result
from pybench.report.table import print_results, save_svg
from tests.unit.report.measured_trials import THREE, results
from tests.unit.report.trials import trial


def printed(results: list[Result], width: int) -> str:
    text = io.StringIO()
    print_results(Console(file=text, width=width), results)
    return text.getvalue()


def test_three_methods_with_three_metrics_fit_a_hundred_columns() -> None:
    text = printed(results(THREE), 100)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert text.count("category") == 1
    assert "weights: random" in text
    (row,) = [line for line in lines if "metal_nut" in line]
    values = ["53.0", "63.0", "73.0", "53.1+", "63.1+", "73.1+", "53.2*", "63.2*", "73.2*"]
    assert row.replace("│", "").split() == ["metal_nut", *values]
    (mean,) = [line for line in lines if "│ mean" in line]
    assert mean.replace("│", "").split()[1:4] == ["53.0", "63.0", "73.0"]
    (latency,) = [line for line in lines if "latency, ms" in line]
    assert latency.replace("│", "").split()[2:] == ["12.3", "5.68*", "123"]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_value_is_lost_at_any_width(width: int) -> None:
    methods = {f"method_{i}": 10.0 + i for i in range(7)}
    text = printed(results(methods), width)
    assert max(map(len, text.splitlines())) <= width
    for value in ("50.0", "56.6", "63.2", "70.5"):
        assert value in text


def test_method_table_has_latency_memory_and_fit() -> None:
    text = printed(results(THREE, flags=("busy machine",)), 120)
    (row,) = [line.split() for line in text.splitlines() if line.split()[:1] == ["padim"]]
    assert row == ["padim", "53.1+", "63.1+", "73.1+", "5.68*", "6.81!", "2.84", "512", "2.0"]
    assert "! busy machine (patchcore, padim, hetmm)" in text
    assert "measured alone on bottle at 200x256 with 1 cpu thread, 128 calls" in text


def test_without_latency_the_table_says_so() -> None:
    text = printed([Result(result.record, None) for result in results(THREE)], 120)
    assert "latency: not measured" in text
    assert "latency, ms" not in text


def test_brackets_in_a_reason_are_text_and_not_markup() -> None:
    (first, *rest) = results(THREE)
    record = first.record.model_copy(update={"status": "failed", "reason": "shape [red] [/red] [2, 3]", "metrics": {}})
    text = printed([Result(record, None), *rest], 120)
    assert "failed: shape [red] [/red] [2, 3] (bottle/patchcore)" in text


def test_brackets_in_a_label_or_a_category_are_text_and_not_markup() -> None:
    tables = [trial(category, "padim", 0.9, label="v [/fast]") for category in ("lid [old]", "plate")]
    text = printed(tables, 120)
    assert text.count("padim v [/fast]") == 1
    assert "lid [old]" in text


def test_picture_is_svg_with_the_table(tmp_path: Path) -> None:
    save_svg(results(THREE), tmp_path / "table.svg")
    drawn = "".join(ElementTree.parse(tmp_path / "table.svg").getroot().itertext())
    assert "metal_nut" in drawn
    assert "53.2" in drawn
    assert "url(" not in (tmp_path / "table.svg").read_text().replace("url(#", "")
