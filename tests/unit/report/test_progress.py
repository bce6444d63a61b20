"""What a run says while it runs, where no terminal is, and on one."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from pybench.records import Latency, Record, Status, Timing
from pybench.report.progress import RunProgress
from pybench.spec import Resources, TrialSpec
from pybench.trial import progress_file

CATEGORIES, METHODS = ("lid", "metal_nut"), ("padim", "hetmm")


def record(category: str, method: str, value: float, status: Status = "ok", reason: str = "") -> Record:
    metrics = ("image_auroc", "pixel_auroc")
    spec = TrialSpec(
        suite="s", dataset="d", category=category, method=method, params={}, profile="quick", metrics=metrics
    )
    values: dict[str, float | None] = dict.fromkeys(metrics, value) if status == "ok" else {}
    timings = {"fit": 1.5, "predict": 1.0}
    return Record(key=spec.key(), spec=spec, status=status, reason=reason, metrics=values, timings=timings)


RECORDS = [record(category, method, 0.9 - 0.1 * i) for category in CATEGORIES for i, method in enumerate(METHODS)]


def said(records: list[Record], reused: int = 0, terminal: bool = False) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=100, force_terminal=terminal, color_system=None)
    with RunProgress([one.spec for one in RECORDS], console) as progress:
        progress.started(len(RECORDS))
        for one in RECORDS:
            progress.handed(one.spec)
        for position, one in enumerate(records):
            progress.trial(one, reused=position < reused)
    return text.getvalue().splitlines()


def test_one_line_per_trial_and_a_row_when_a_category_is_complete() -> None:
    lines = said(RECORDS[:3])
    assert lines[0].startswith("[1/4] lid padim seed 0: image AUROC 90.0, 2.5 s, ")
    assert lines[1].startswith("[2/4] lid hetmm seed 0: image AUROC 80.0, 2.5 s, ")
    assert [line.split("|")[0].strip() for line in lines[2:6]] == ["", "", "category", "lid"]
    assert lines[5].replace("|", "").split() == ["lid", "80.0+", "80.0+", "90.0*", "90.0*"]
    assert lines[6].startswith("[3/4] metal_nut padim")
    assert len(lines) == 7


def test_rows_wait_for_the_last_trial_of_their_category_in_any_order() -> None:
    lines = said([RECORDS[0], RECORDS[2], RECORDS[3], RECORDS[1]])
    rows = [line.split()[0] for line in lines if "*" in line]
    assert rows == ["metal_nut", "lid"]
    assert sum("category" in line for line in lines) == 1


def test_reused_trials_are_told_once_and_their_rows_printed() -> None:
    lines = said(RECORDS, reused=2)
    assert sum("finished already" in line for line in lines) == 1
    assert not any(line.startswith(("[1/4]", "[2/4]")) for line in lines)
    assert any(line.startswith("lid ") for line in lines)
    assert any(line.startswith("[3/4]") for line in lines)


def test_failure_is_told_with_its_reason_and_marks_the_row() -> None:
    lines = said([record("lid", "padim", 0, "failed", "boom [red]\nmore"), RECORDS[1]])
    assert lines[0] == "[1/4] lid padim seed 0: failed: boom [red]"
    (row,) = [line for line in lines if line.startswith("lid ")]
    assert row.replace("|", "").split() == ["lid", "80.0", "80.0", "failed"]


def test_a_terminal_shows_the_bar_the_trial_that_is_due_and_the_failures() -> None:
    lines = said([record("lid", "padim", 0, "timeout", "after 60 s"), *RECORDS[1:3]], terminal=True)
    assert any("3/4" in line and "1 failed metal_nut hetmm" in line for line in lines)
    assert any("lid padim seed 0: timeout: after 60 s" in line for line in lines)
    assert not any("[2/4]" in line for line in lines)


def test_a_terminal_shows_how_far_the_trial_is_that_reported_last(tmp_path: Path) -> None:
    due, reporting = RECORDS[0], RECORDS[1]
    progress_file.reporter(tmp_path / f"{reporting.key}-0123", "fit")("phase 3/9 loss 0.5")
    text = io.StringIO()
    console = Console(file=text, width=120, force_terminal=True, color_system=None)
    progress = RunProgress([due.spec, reporting.spec], console, tmp_path)
    progress.handed(due.spec)
    progress.handed(reporting.spec)
    with progress:
        progress.started(2)
    assert f"{reporting.spec.category} {reporting.spec.method}: phase 3/9 loss 0.5" in text.getvalue()
    assert progress_file.latest(tmp_path / "nothing") is None


def test_latencies_are_told_with_what_was_flagged() -> None:
    timing = Timing(calls=30, p50=12.34, p90=13, p95=14.5, p99=None, intervals={})
    latency = Latency(
        key="l", dataset="d", category="lid", method="padim", params={}, resources=Resources(), profile="quick",
        image_height=8, image_width=8, end_to_end=timing, predict=timing, first_call_ms=50, peak_memory_mb=1,
        flags=("busy machine",), manifest={}, code_version="", finished="",
    )  # fmt: skip
    for terminal in (False, True):
        text = io.StringIO()
        console = Console(file=text, width=100, force_terminal=terminal, color_system=None)
        with RunProgress([RECORDS[0].spec], console) as progress:
            progress.started(1)
            progress.trial(RECORDS[0], reused=False)
            progress.measuring(RECORDS[0].spec)
            progress.latency(latency)
        assert "latency of padim: p50 12.3 ms, p95 14.5 ms, 30 calls (! busy machine)" in text.getvalue()
