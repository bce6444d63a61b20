"""How latencies look by themselves, at any width and as Markdown."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from pybench.latency.percentiles import timing
from pybench.records import Latency, LatencyFailure, ProcessTiming, Record, Result, Throughput
from pybench.report.latencies import objects, print_reports, reports, to_markdown
from pybench.spec import Resources, TrialSpec

SHEETS = (10, 60, None)


def spec(sheets: int | None) -> TrialSpec:
    return TrialSpec(
        suite="latency", dataset="tiles", category="hazelnut", method="hetmm", params={"sheets": sheets},
        profile="quick", metrics=("image_auroc", "pixel_auroc", "aupro_30"),
    )  # fmt: skip


def measured(sheets: int | None, p50: float) -> Latency:
    calls = timing(p50 * (1 + np.linspace(-0.1, 0.1, 701)))
    process = ProcessTiming(
        p50=p50, interval=(p50, p50), load_ms=1, first_call_ms=1, peak_memory_mb=1, end_to_end_ms=(), predict_ms=()
    )
    return Latency(
        key=spec(sheets).latency_key(), dataset="tiles", category="hazelnut", method="hetmm",
        params={"sheets": sheets}, resources=Resources(threads=2), profile="quick", image_height=256, image_width=256,
        end_to_end=calls, predict=calls, one_thread=calls, first_call_ms=321.0, load_ms=654.0, peak_memory_mb=987.0,
        stages={"decode": 0.1 * p50, "backbone": 0.5 * p50, "match": 0.38 * p50}, stage_calls=99,
        throughput=(Throughput(batch_size=8, images_per_second=17.25),
                    Throughput(batch_size=32, images_per_second=None, reason="does not fit in memory")),
        processes=(process,) * 3, flags=("the medians of 3 processes differ",) if sheets is None else (),
        manifest={}, code_version="", finished="",
    )  # fmt: skip


FAILED = LatencyFailure(
    key="f", dataset="tiles", category="hazelnut", method="padim", params={}, resources=Resources(threads=2),
    profile="quick", status="failed", reason="its process died", code_version="", started="", finished="",
)  # fmt: skip
LATENCIES = [*(measured(sheets, 20.0 + 10 * at) for at, sheets in enumerate(SHEETS)), FAILED]
RESULTS = [
    Result(Record(key="k", spec=spec(60), status="ok", metrics={"image_auroc": 0.987, "aupro_30": 0.5}), None),
    Result(Record(key="l", spec=spec(60), status="ok", metrics={"image_auroc": 0.985, "aupro_30": None}), None),
]


def printed(width: int) -> str:
    text = io.StringIO()
    print_reports(Console(file=text, width=width), reports(LATENCIES, RESULTS))
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_lost_or_broken_at_any_width(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    for word in (
        "hetmm sheets=None",
        "29.8 to 30.2",
        "33.3",
        "17.2",
        "654",
        "321",
        "987",
        "98.6",
        "50.0",
        "40.0!",
        "2.0",
    ):
        assert word in text
    assert "latency of padim: failed: its process died" in text
    assert "- batch 32: does not fit in memory (hetmm" in text
    assert "! the medians of 3 processes differ (hetmm)" in text


def test_rows_stand_in_the_order_of_what_differs() -> None:
    lines = [line.split() for line in printed(120).splitlines()]
    names = [line[1] for line in lines if line[:1] == ["hetmm"]]
    assert names[:3] == ["sheets=10", "sheets=60", "sheets=None"]


def test_markdown_has_both_tables_and_json_everything() -> None:
    text = to_markdown(reports(LATENCIES, RESULTS))
    assert "| hetmm sheets=60 | 30.0 |" in text
    assert "| method | decode ms | backbone ms | match ms | missing % | processes p50 ms |" in text
    first, *_, failed = objects(LATENCIES, RESULTS)
    assert first["latency"]["images_per_second"] == {"8": 17.25, "32": None}
    assert first["latency"]["stages_missing"] == pytest.approx(0.02)
    assert (failed["status"], failed["reason"], failed["latency"]) == ("failed", "its process died", None)
