"""How the benchmarks time an op: against its baselines, in the same run, with the floor that the machine sets."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from pybench import _cpu
from pybench.ops import backends

Call = Callable[[], object]

CASE_SECONDS = 4.0  # the rounds of a case take about as long, but there are at least FEWEST_ROUNDS
FEWEST_ROUNDS = 3
MOST_ROUNDS = 30
HOPELESS = 5  # a baseline so many times slower than the fastest is called once only
COLUMNS = ("op", "case", "threads", "ours_ms", "baseline", "baseline_ms", "ratio", "floor_ms", "share")

_rows: list[dict[str, Any]] = []
_peaks: dict[int, float] = {}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Benchmarks take minutes: they run where they are asked for, not with the tests."""
    return None if config.getoption("benchmark_only") else True


@pytest.fixture
def fma_ms() -> Callable[..., float]:
    """Milliseconds that so many float32 multiply-adds take at this machine's peak, the best seen so far in this run."""

    def floor(products: float, threads: int = 2) -> float:
        level = next(level for level, reason in _cpu.simd_levels() if not reason)
        _peaks[threads] = max(_peaks.get(threads, 0), _cpu.fma_peak(level, threads, 2_000_000, 10))
        return products / _peaks[threads] * 1000

    return floor


@pytest.fixture
def compare(benchmark: Any) -> Callable[..., None]:
    """Time ``ours`` against the fastest of ``baselines`` (name to call), called in turn in each round; medians count.

    ``share`` is the part of the work that the baselines do: their times are divided by it. ``floor_ms`` is a time that
    this machine cannot beat. ``once`` is for calls that take minutes: each is made once. What was seen goes to
    ``extra_info`` and into the table at the end.
    """

    def run(
        *,
        op: str,
        case: str,
        ours: Call,
        baselines: Mapping[str, Call],
        floor_ms: float | None = None,
        share: float = 1.0,
        threads: int = 2,
        once: bool = False,
    ) -> None:
        torch.set_num_threads(threads)
        first = {name: _seconds(call) for name, call in baselines.items()}
        if once:
            times = {name: [taken] for name, taken in first.items()}
            benchmark.pedantic(ours)
        else:
            times = {name: [] for name in first if first[name] <= HOPELESS * min(first.values())}
            ours()

            def time_baselines() -> None:
                for name, taken in times.items():
                    taken.append(_seconds(baselines[name]))
                ours()  # what the baselines left in the caches counts for nobody

            round_seconds = sum(first[name] for name in times) + 2 * _seconds(ours)
            rounds = min(MOST_ROUNDS, max(FEWEST_ROUNDS, int(CASE_SECONDS / round_seconds)))
            benchmark.pedantic(ours, setup=time_baselines, rounds=rounds)
        baseline_ms = {name: statistics.median(taken) * 1000 / share for name, taken in times.items()}
        best = min(baseline_ms, key=lambda name: baseline_ms[name])
        ours_ms = benchmark.stats.stats.median * 1000
        benchmark.extra_info.update(
            op=op,
            case=case,
            threads=threads,
            ours_ms=ours_ms,
            baseline=best,
            baseline_ms=baseline_ms[best],
            ratio=baseline_ms[best] / ours_ms,
            floor_ms=floor_ms,
            share=share,
        )
        _rows.append(benchmark.extra_info)

    return run


def _seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, in Markdown, as docs/results/ops.md keeps it; further keys of ``extra_info`` are its last column."""
    if not _rows:
        return
    level = next(level for level, reason in backends()["mutual_match"].items() if not reason)
    terminalreporter.write_line(f"\nLevel: {level}. Times in ms, medians. ratio = baseline / ours.\n")
    terminalreporter.write_line("| " + " | ".join((*COLUMNS, "notes")) + " |")
    terminalreporter.write_line("|" + "---|" * (len(COLUMNS) + 1))
    for row in _rows:
        notes = ", ".join(f"{key} {_cell(value)}" for key, value in row.items() if key not in COLUMNS)
        terminalreporter.write_line("| " + " | ".join([*(_cell(row[column]) for column in COLUMNS), notes]) + " |")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "" if value is None else str(value)
