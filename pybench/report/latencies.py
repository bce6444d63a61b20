"""Latencies by themselves: per method percentiles, throughput and memory, and where a call spends its time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pybench.machine.environment import machine
from pybench.records import Latency, LatencyFailure, Result
from pybench.report.markdown import pipe_table
from pybench.report.names import choose_metrics, listed, two_lines
from pybench.report.notes import latency_notes
from pybench.report.summary import column_key, columns_of
from pybench.report.table import milliseconds
from pybench.results.flat import latency_object
from pybench.stages import STAGES

_PADDING = 3  # of every column, its rule included
_LONGEST_NAME = 32

Heading = tuple[str, str]


@dataclass(frozen=True)
class Report:
    """All latencies of one data set and profile. ``columns`` and ``stages`` hold, under their headings, a text for
    each of the ``names``."""

    title: str
    facts: list[str]
    names: list[str]
    columns: dict[Heading, list[str]]
    stages: dict[Heading, list[str]]
    notes: list[str]


def reports(latencies: Sequence[Latency | LatencyFailure], results: Sequence[Result]) -> list[Report]:
    """What was measured, with the means of the metrics over the trials that each latency stands for."""
    groups: dict[tuple[str, str], list[Latency | LatencyFailure]] = {}
    for one in latencies:
        groups.setdefault((one.dataset, one.profile), []).append(one)
    return [_report(group, results) for group in groups.values()]


def objects(latencies: Sequence[Latency | LatencyFailure], results: Sequence[Result]) -> list[dict[str, Any]]:
    """The same as JSON-ready data, an object for each latency."""
    fields = {"method", "label", "dataset", "category", "profile", "params", "resources"}
    return [
        {
            "status": one.status if isinstance(one, LatencyFailure) else "ok",
            "reason": one.reason if isinstance(one, LatencyFailure) else "",
            **one.model_dump(mode="json", include=fields),
            "metrics": _metrics(one, results),
            "latency": None if isinstance(one, LatencyFailure) else latency_object(one),
        }
        for one in latencies
    ]


def print_reports(console: Console, made: Iterable[Report]) -> None:
    """Prints the tables, cut into as many as the console's width asks for."""
    for report in made:
        console.print(Text())
        console.print(Text(report.title, style="bold"))
        for fact in report.facts:
            console.print(Text(fact, style="dim"))
        for columns in (report.columns, report.stages):
            for part in _fitting(report.names, columns, console.width):
                console.print(_table(report.names, part))
        for note in report.notes:
            console.print(Text(note, style="dim"))


def to_markdown(made: Iterable[Report]) -> str:
    """One section per report."""
    lines: list[str] = []
    for report in made:
        lines += [f"### {report.title}", "", *(f"{fact}  " for fact in report.facts), ""]
        for columns in (report.columns, report.stages):
            heads = ["method", *(" ".join(filter(None, heading)) for heading in columns)]
            rows = [[name, *(texts[at] for texts in columns.values())] for at, name in enumerate(report.names)]
            lines += [*pipe_table(heads, rows), ""]
        lines += [*(f"- {note}" for note in report.notes), ""]
    return "\n".join(lines)


def _report(group: Sequence[Latency | LatencyFailure], results: Sequence[Result]) -> Report:
    named = {column.key: column.label for column in columns_of(group)}
    order = list(named)
    group = sorted(group, key=lambda one: order.index(column_key(one)))
    measured = [one for one in group if isinstance(one, Latency)]
    machines = dict.fromkeys(filter(None, (machine(one.manifest) for one in measured)))
    return Report(
        title=f"latency: {group[0].dataset}, {group[0].profile} profile",
        facts=[f"machine: {', '.join(machines)}"] if machines else [],
        names=[named[column_key(one)] for one in group],
        columns=_columns(group, results),
        stages=_stages(group),
        notes=[
            "fps is 1000 over the median call; intervals hold the median with 95 %; missing is the share of the median "
            "call that no stage accounts for",
            *_lost_batches(measured, named),
            *latency_notes(measured, [one for one in group if isinstance(one, LatencyFailure)]),
        ],
    )


def _lost_batches(measured: Sequence[Latency], named: Mapping[str, str]) -> list[str]:
    """Why a throughput is a dash."""
    lost: dict[str, list[str]] = {}
    for row in measured:
        for one in row.throughput:
            if one.images_per_second is None:
                lost.setdefault(f"batch {one.batch_size}: {one.reason}", []).append(named[column_key(row)])
    return [f"- {reason} ({listed(methods)})" for reason, methods in lost.items()]


def _columns(group: Sequence[Latency | LatencyFailure], results: Sequence[Result]) -> dict[Heading, list[str]]:
    sizes = sorted({one.batch_size for row in group if isinstance(row, Latency) for one in row.throughput})
    metrics = [_metrics(one, results) for one in group]
    columns: dict[Heading, list[str]] = {
        ("end to end", "p50 ms"): [
            one.status if isinstance(one, LatencyFailure) else milliseconds(one.end_to_end.p50) + "!" * bool(one.flags)
            for one in group
        ],
        ("p50's", "95 % interval"): _texts(group, _interval),
        ("", "p95 ms"): _texts(group, lambda row: _ms(row.end_to_end.p95)),
        ("", "p99 ms"): _texts(group, lambda row: _ms(row.end_to_end.p99)),
        ("1 thread", "p50 ms"): _texts(group, lambda row: _ms(row.one_thread.p50) if row.one_thread else ""),
        ("", "fps"): _texts(group, lambda row: f"{1000 / row.end_to_end.p50:.1f}"),
    }
    for name in choose_metrics(list(dict.fromkeys(name for own in metrics for name in own))):
        columns[two_lines(name)] = [f"{own[name] * 100:.1f}" if name in own else "" for own in metrics]
    columns["predict", "p50 ms"] = _texts(group, lambda row: _ms(row.predict.p50))
    for size in sizes:
        columns["images/s", f"batch {size}"] = _texts(group, partial(_throughput, size=size))
    columns |= {
        ("load", "ms"): _texts(group, lambda row: _ms(row.load_ms)),
        ("first", "call ms"): _texts(group, lambda row: _ms(row.first_call_ms)),
        ("memory", "MB"): _texts(group, lambda row: f"{row.peak_memory_mb:.0f}"),
        ("GPU", "MB"): _texts(group, lambda row: _whole(row.peak_device_memory_mb)),
    }
    return _filled(columns)


def _stages(group: Sequence[Latency | LatencyFailure]) -> dict[Heading, list[str]]:
    columns: dict[Heading, list[str]] = {}
    for stage in STAGES:
        columns[stage, "ms"] = _texts(group, partial(_stage, stage=stage))
    columns["missing", "%"] = _texts(group, lambda row: _percent(row.missing_share))
    columns["processes", "p50 ms"] = _texts(
        group, lambda row: " ".join(milliseconds(process.p50) for process in row.processes)
    )
    return _filled(columns)


def _texts(group: Sequence[Latency | LatencyFailure], text: Callable[[Latency], str]) -> list[str]:
    return ["" if isinstance(one, LatencyFailure) else text(one) for one in group]


def _metrics(one: Latency | LatencyFailure, results: Sequence[Result]) -> dict[str, float]:
    """Means over the trials whose method this is, with the same parameters and data."""
    records = [result.record for result in results if result.record.spec.latency_key() == one.key]
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.metrics.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {name: statistics.fmean(found) for name, found in values.items()}


def _filled(columns: dict[Heading, list[str]]) -> dict[Heading, list[str]]:
    return {heading: texts for heading, texts in columns.items() if any(texts)}


def _interval(row: Latency) -> str:
    return " to ".join(map(milliseconds, row.end_to_end.intervals.get("p50", ())))


def _throughput(row: Latency, size: int) -> str:
    """Empty where it was not measured, a dash where it could not be."""
    found = [one for one in row.throughput if one.batch_size == size]
    if not found:
        return ""
    return "-" if found[0].images_per_second is None else f"{found[0].images_per_second:.1f}"


def _stage(row: Latency, stage: str) -> str:
    return _ms(row.stages.get(stage))


def _ms(value: float | None) -> str:
    return "" if value is None else milliseconds(value)


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.1f}"


def _fitting(names: Sequence[str], columns: dict[Heading, list[str]], width: int) -> list[dict[Heading, list[str]]]:
    """The columns in as many parts as are needed for each to fit beside the names."""
    first = min(_LONGEST_NAME, max(len(name) for name in names)) + _PADDING
    parts: list[dict[Heading, list[str]]] = []
    room = 0
    for heading, texts in columns.items():
        wide = max(map(len, (*heading, *texts))) + _PADDING
        if wide > room:
            parts.append({})
            room = width - first - 1
        parts[-1][heading] = texts
        room -= wide
    return parts


def _table(names: Sequence[str], columns: dict[Heading, list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    widest = min(_LONGEST_NAME, max(len(name) for name in names))
    table.add_column("method", vertical="bottom", min_width=widest, max_width=_LONGEST_NAME, overflow="fold")
    for heading in columns:
        table.add_column("\n".join(heading), justify="right", no_wrap=True)
    for at, name in enumerate(names):
        table.add_row(Text(name), *(Text(texts[at]) for texts in columns.values()))
    return table
