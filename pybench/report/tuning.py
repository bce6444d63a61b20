"""The progress of a search, a line per candidate, and its result: the defaults and the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table
from rich.text import Text

from pybench.records import Latency, LatencyFailure, Record
from pybench.report.live_bar import LiveBar
from pybench.report.names import STATUS_WORDS, UNDEFINED, differing, metric_words, two_lines
from pybench.report.notes import first_line
from pybench.report.table import milliseconds
from pybench.results.constraints import Constraint
from pybench.search.candidate import Candidate
from pybench.search.prepare import Prepared
from pybench.search.search import Search
from pybench.search.settings import Settings
from pybench.spec import TrialSpec

_MEASURED = (("latency_p95_ms", "latency", "p95 ms"), ("peak_memory_mb", "memory", "MB"))


class TuneProgress(LiveBar):
    """Follows a search and writes to the console."""

    def __init__(self, prepared: Prepared, settings: Settings, console: Console) -> None:
        self.prepared, self.settings = prepared, settings
        super().__init__(console, "samples", settings.candidates, TextColumn("{task.fields[now]}", style="dim"), now="")

    def __enter__(self) -> Self:
        first, space = self.prepared.plan.specs[0], self.prepared.space
        what = ", ".join(f"{name} {part}" for name, part in space.items())
        self.say(f"search of {first.method}: {what}")
        on = (
            "ORACLE: the objective is measured on the test set, with its labels; no number here is a result"
            if self.prepared.is_oracle
            else "objective: held-out normal images and synthetic anomalies on them; the test set is not read"
        )
        self.say(on, "bold yellow" if self.prepared.is_oracle else "")
        return super().__enter__()

    def started(self, total: int) -> None:
        """Before the trials of a batch."""
        self.bar.update(self.task, now=f"{total} trials")

    def handed(self, spec: TrialSpec) -> None:
        """When a trial is handed to the executor."""

    def trial(self, record: Record, *, reused: bool) -> None:
        """After each trial; only those that went wrong are shown."""
        if record.status != "ok":
            line = f"{record.spec.category}: {STATUS_WORDS[record.status]}: {first_line(record.reason)}"
            self.say(line, style="red")

    def measuring(self, spec: TrialSpec) -> None:
        """Before a latency measurement."""
        self.bar.update(self.task, now="latency")

    def latency(self, latency: Latency | LatencyFailure) -> None:
        """After a latency measurement."""
        if isinstance(latency, LatencyFailure):
            self.say(f"latency: {STATUS_WORDS[latency.status]}: {first_line(latency.reason)}", style="red")
            return
        for flag in latency.flags:
            self.say(f"! latency: {flag}", style="yellow")

    def candidate(self, candidate: Candidate, best: Candidate | None) -> None:
        """After a candidate, in the order in which they were proposed."""
        self.bar.advance(self.task)
        total = self.settings.candidates
        count = f"[{candidate.number:>{len(str(total))}}/{total}]"
        ending = f"; best is [{best.number}] with {self._value(best)}" if best else ""
        if best is candidate:
            ending = "; the best so far"
        self.say(f"{count} {self._outcome(candidate)}{ending}  ({in_words(candidate.changes)})")

    def _outcome(self, candidate: Candidate) -> str:
        name = "defaults: " if candidate.is_default else ""
        if candidate.state != "complete":
            return f"{name}{candidate.state}: {first_line(candidate.reason)}"
        measured = "".join(self._measured(candidate, constraint) for constraint in self.settings.constraints)
        return f"{name}{self._value(candidate)}{measured}"

    def _measured(self, candidate: Candidate, constraint: Constraint) -> str:
        over = " (over)" if constraint.excess(candidate.measured) > 0 else ""
        return f", {constraint.quantity} {milliseconds(candidate.measured[constraint.quantity])}{over}"

    def _value(self, candidate: Candidate) -> str:
        first = self.settings.metrics[0]
        return f"{' '.join(metric_words(first))} {candidate.values[first] * 100:.1f}{_mark(self.prepared)}"


def print_search(console: Console, prepared: Prepared, search: Search, suite: Path | None) -> None:
    """Prints the defaults and the front as a table, what was gained, and the file that runs it."""
    shown = [search.defaults, *(candidate for candidate in search.front if not candidate.is_default)]
    console.print(_table(prepared, search, shown))
    for line in _lines(prepared, search, suite):
        console.print(Text(line), soft_wrap=True)


def in_words(params: Mapping[str, Any]) -> str:
    """Parameters in one line."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in params.items())


def _table(prepared: Prepared, search: Search, shown: list[Candidate]) -> Table:
    spec, mark = prepared.plan.specs[0], _mark(prepared)
    title = f"{prepared.name}: {spec.method}, the defaults and the Pareto front{mark}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("sample")
    for metric in search.settings.metrics:
        table.add_column("\n".join(two_lines(metric)) + mark, justify="right")
    measured = [entry for entry in _MEASURED if any(entry[0] in candidate.measured for candidate in shown)]
    for _, *heading in measured:
        table.add_column("\n".join(heading), justify="right")
    names = differing([candidate.changes for candidate in shown])
    for name in names:
        table.add_column(name, overflow="fold")
    for candidate in shown:
        best = candidate is search.best
        cells = [f"{'defaults' if candidate.is_default else candidate.number}{' *' if best else ''}"]
        cells += [_cell(candidate.values.get(metric), 100) for metric in search.settings.metrics]
        cells += [_cell(candidate.measured.get(quantity), 1) for quantity, *_ in measured]
        cells += [_plain(candidate.changes[name]) for name in names]
        table.add_row(*(Text(cell, style="bold green" if best else "") for cell in cells))
    return table


def _lines(prepared: Prepared, search: Search, suite: Path | None) -> list[str]:
    best, first = search.best, search.settings.metrics[0]
    labels = search.labels_read_here + sum(candidate.test_labels_read for candidate in search.candidates)
    read = "test labels were read" if labels else "test labels read: 0"
    lines = [f"* best by {' '.join(metric_words(first))}{_mark(prepared)}; {read}"]
    if best is None:
        constraints = ", ".join(map(str, search.settings.constraints))
        lines = [f"no sample ran to its end{f' within {constraints}' if constraints else ''}; search.json says why"]
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
