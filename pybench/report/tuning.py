"""What a search says while it goes on, a line per sample, and its result: the samples that nothing else beats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pybench.records import Latency, LatencyFailure, Record
from pybench.report.names import STATUS_WORDS, UNDEFINED, differing, metric_words, two_lines
from pybench.report.notes import first_line
from pybench.report.table import milliseconds
from pybench.search.prepare import Prepared
from pybench.search.search import Sample, Search, Settings
from pybench.spec import TrialSpec

_MEASURED = (("latency_p95_ms", "latency", "p95 ms"), ("peak_memory_mb", "memory", "MB"))


class TuneProgress:
    """Listens to a search and writes to the console; a context manager, for the live bar."""

    def __init__(self, prepared: Prepared, settings: Settings, console: Console, folder: Path) -> None:
        self.prepared, self.settings, self.console = prepared, settings, console
        self.reused = 0
        self.bar = Progress(
            TextColumn("samples"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("samples", total=settings.samples, now="")

    def __enter__(self) -> Self:
        first, space = self.prepared.plan.specs[0], self.prepared.space
        what = ", ".join(f"{name} {part}" for name, part in space.items())
        self._say(f"search of {first.method}: {what}")
        on = (
            "ORACLE: the objective is measured on the test set, with its labels; no number here is a result"
            if self.prepared.is_oracle
            else "objective: held-out normal images and spoilt copies of them; the test set is not read"
        )
        self._say(on, "bold yellow" if self.prepared.is_oracle else "")
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def started(self, total: int) -> None:
        """Before the trials of a batch."""
        self.bar.update(self.task, now=f"{total} trials")

    def handed(self, spec: TrialSpec) -> None:
        """When a trial is handed to the executor."""

    def trial(self, record: Record, *, reused: bool) -> None:
        """After each trial, and for each that was finished before (``reused``)."""
        self.reused += reused
        if record.status != "ok":
            line = f"{record.spec.category}: {STATUS_WORDS[record.status]}: {first_line(record.reason)}"
            self._say(line, style="red")

    def measuring(self, spec: TrialSpec) -> None:
        """Before a latency measurement."""
        self.bar.update(self.task, now="latency")

    def latency(self, latency: Latency | LatencyFailure) -> None:
        """After a latency measurement."""
        if isinstance(latency, LatencyFailure):
            self._say(f"latency: {STATUS_WORDS[latency.status]}: {first_line(latency.reason)}", style="red")
            return
        for flag in latency.flags:
            self._say(f"! latency: {flag}", style="yellow")

    def sample(self, sample: Sample, best: Sample | None) -> None:
        """After a sample, in the order in which they were proposed."""
        self.bar.advance(self.task)
        total = self.settings.samples
        count = f"[{sample.number:>{len(str(total))}}/{total}]"
        ending = f"; best is [{best.number}] with {self._value(best)}" if best else ""
        if best is sample:
            ending = "; the best so far"
        self._say(f"{count} {self._outcome(sample)}{ending}  ({in_words(sample.changes)})")

    def _outcome(self, sample: Sample) -> str:
        name = "defaults: " if sample.is_default else ""
        if sample.state != "complete":
            return f"{name}{sample.state}: {first_line(sample.reason)}"
        broken = [limit for limit in self.settings.limits if limit.excess(sample.measured) > 0]
        measured = "".join(
            f", {limit.quantity} {milliseconds(sample.measured[limit.quantity])}{' (over)' if limit in broken else ''}"
            for limit in self.settings.limits
        )
        return f"{name}{self._value(sample)}{measured}"

    def _value(self, sample: Sample) -> str:
        first = self.settings.metrics[0]
        return f"{' '.join(metric_words(first))} {sample.values[first] * 100:.1f}{_mark(self.prepared)}"

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(Text(line, style=style), soft_wrap=not self.console.is_terminal)


def print_search(console: Console, prepared: Prepared, search: Search, suite: Path | None) -> None:
    """Prints the defaults and the front as a table, what was gained, and the file that runs it."""
    shown = [search.defaults, *(sample for sample in search.front if not sample.is_default)]
    console.print(_table(prepared, search, shown))
    for line in _lines(prepared, search, suite):
        console.print(Text(line), soft_wrap=True)


def in_words(params: Mapping[str, Any]) -> str:
    """Parameters in one line."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in params.items())


def _table(prepared: Prepared, search: Search, shown: list[Sample]) -> Table:
    spec, mark = prepared.plan.specs[0], _mark(prepared)
    title = f"{prepared.name}: {spec.method}, what nothing else beats{mark}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("sample")
    for metric in search.settings.metrics:
        table.add_column("\n".join(two_lines(metric)) + mark, justify="right")
    measured = [entry for entry in _MEASURED if any(entry[0] in sample.measured for sample in shown)]
    for _, *heading in measured:
        table.add_column("\n".join(heading), justify="right")
    names = differing([sample.changes for sample in shown])
    for name in names:
        table.add_column(name, overflow="fold")
    for sample in shown:
        best = sample is search.best
        cells = [f"{'defaults' if sample.is_default else sample.number}{' *' if best else ''}"]
        cells += [_cell(sample.values.get(metric), 100) for metric in search.settings.metrics]
        cells += [_cell(sample.measured.get(quantity), 1) for quantity, *_ in measured]
        cells += [_plain(sample.changes[name]) for name in names]
        table.add_row(*(Text(cell, style="bold green" if best else "") for cell in cells))
    return table


def _lines(prepared: Prepared, search: Search, suite: Path | None) -> list[str]:
    best, first = search.best, search.settings.metrics[0]
    labels = search.labels_read_here + sum(sample.test_labels_read for sample in search.samples)
    read = "test labels were read" if labels else "test labels read: 0"
    lines = [f"* best by {' '.join(metric_words(first))}{_mark(prepared)}; {read}"]
    if best is None:
        limits = ", ".join(map(str, search.settings.limits))
        lines = [f"no sample ran to its end{f' within {limits}' if limits else ''}; search.json says why"]
    elif best.is_default:
        lines.append("nothing better than the defaults was found")
    elif first in search.defaults.values:
        gain = 100 * (best.values[first] - search.defaults.values[first])
        lines.append(f"{gain:+.1f} beside the defaults{_mark(prepared)}: {in_words(best.changes)}")
    if suite is not None:
        lines.append(f"on the test set: pybench run {suite}")
    return lines


def _mark(prepared: Prepared) -> str:
    return " (oracle)" if prepared.is_oracle else ""


def _cell(value: float | None, factor: float) -> str:
    return UNDEFINED if value is None else f"{value * factor:.1f}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
