"""The progress of a run: a live bar on a terminal, plain lines elsewhere, each row of the table once it is complete."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import ProgressColumn, Task, TextColumn
from rich.text import Text

from pybench.records import Latency, LatencyFailure, Record, Result
from pybench.report.live_bar import LiveBar
from pybench.report.names import STATUS_WORDS, choose_metrics, metric_words
from pybench.report.notes import first_line
from pybench.report.summary import columns_of, group_key, summarise
from pybench.report.table import VALUE_WIDTH, Block, arrange, header_lines, label_width, milliseconds, row_texts
from pybench.spec import TrialSpec
from pybench.trial import progress_file

_RULE = " | "
_MOST_WITH_ROWS = 2_000  # trials; the rows of more are not for a screen, and what they need not for memory


class RunProgress(LiveBar):
    """Follows a run and writes to the console.

    Args:
        specs: the trials of the run, at least one.
        folder: of the trials under way, whose own progress the live bar shows.
    """

    def __init__(self, specs: Sequence[TrialSpec], console: Console, folder: Path | None = None) -> None:
        self.going: dict[str, TrialSpec] = {}
        self.metrics = choose_metrics(list(specs[0].metrics))
        self.rows = _Rows(specs if len(specs) <= _MOST_WITH_ROWS else (), self.metrics, console)
        self.clock = _Clock()
        self.failed = 0
        self.measuring_now = False
        failures = TextColumn("{task.fields[failed]}", style="red")
        columns = (_TimeLeft(self.clock), failures, _Now(self.going, folder))
        super().__init__(console, "trials", len(specs), *columns, now="", failed="")

    def started(self, total: int) -> None:
        """Before the first trial."""
        self.clock.start(total)
        self.bar.update(self.task, total=total, now=self._now())

    def handed(self, spec: TrialSpec) -> None:
        """When a trial is handed to the executor."""
        self.going[spec.key()] = spec
        self.bar.update(self.task, now=self._now())

    def trial(self, record: Record, *, reused: bool) -> None:
        """After each trial; ``reused`` if an earlier run has finished it."""
        self.going.pop(record.key, None)
        self.clock.count(reused)
        if reused and self.clock.reused == 1:
            self.say("trials that are finished already are not run again (--force runs them anew)")
        is_failure = record.status not in ("ok", "skipped")
        self.failed += is_failure
        if is_failure or not (reused or self.console.is_terminal):
            self.say(f"{self.clock} {self._line(record)}", style="red" if is_failure else "")
        self.rows.add(record)
        failed = f"{self.failed} failed" if self.failed else ""
        self.bar.update(self.task, completed=self.clock.done, now=self._now(), failed=failed)

    def measuring(self, spec: TrialSpec) -> None:
        """Before a latency measurement, which has its machine for itself."""
        if not self.measuring_now:
            self.measuring_now = True
            self.bar.update(self.task, visible=False)
            self.task = self.bar.add_task("latency", total=None, now="", failed="")
        self.bar.update(self.task, now=_name(spec))

    def latency(self, latency: Latency | LatencyFailure) -> None:
        """After a latency measurement."""
        name = " ".join(filter(None, [latency.method, latency.label]))
        if isinstance(latency, LatencyFailure):
            words = f"latency of {name}: {STATUS_WORDS[latency.status]}: {first_line(latency.reason)}"
            self.say(words, style="red")
            return
        end_to_end = latency.end_to_end
        flags = f" (! {', '.join(latency.flags)})" if latency.flags else ""
        times = f"p50 {milliseconds(end_to_end.p50)} ms, p95 {milliseconds(end_to_end.p95)} ms"
        self.bar.advance(self.task)
        self.say(f"latency of {name}: {times}, {end_to_end.calls} calls{flags}")

    def _line(self, record: Record) -> str:
        """One finished trial: what, its main metric or why it has none, how long it took, how long is left."""
        spec = record.spec
        name = f"{_name(spec)} seed {spec.seed}"
        if record.status != "ok":
            return f"{name}: {STATUS_WORDS[record.status]}: {first_line(record.reason)}"
        main = self.metrics[0]
        value = record.metrics.get(main)
        shown = "undefined" if value is None else f"{value * 100:.1f}"
        left = self.clock.left()
        ending = "" if left is None else f", {_duration(left)} left"
        return f"{name}: {' '.join(metric_words(main))} {shown}, {sum(record.timings.values()):.1f} s{ending}"

    def _now(self) -> str:
        """The trial that has been going on for the longest."""
        due = next(iter(self.going.values()), None)
        return _name(due) if due else ""


class _Rows:
    """Prints a category's row of the final table as soon as its last trial has ended."""

    def __init__(self, specs: Sequence[TrialSpec], metrics: Sequence[str], console: Console) -> None:
        self.metrics, self.console = metrics, console
        self.groups: dict[str, list[TrialSpec]] = {}
        for spec in specs:
            self.groups.setdefault(group_key(spec), []).append(spec)
        self.ended: dict[tuple[str, str], list[Record]] = {}
        self.headed = ""

    def add(self, record: Record) -> None:
        group, category = group_key(record.spec), record.spec.category
        if group not in self.groups:
            return
        ended = self.ended.setdefault((group, category), [])
        ended.append(record)
        if len(ended) == sum(spec.category == category for spec in self.groups[group]):
            self._print_row(group, category, ended)

    def _print_row(self, group: str, category: str, records: Sequence[Record]) -> None:
        specs = self.groups[group]
        categories = list(dict.fromkeys(spec.category for spec in specs))
        # In the store's order, in which the final table stands too.
        columns = columns_of(sorted(specs, key=lambda spec: spec.method))
        repeated = len({(spec.seed, spec.data_seed) for spec in specs}) > 1
        value_width = VALUE_WIDTH + len("±10.0") * repeated
        block = arrange(columns, self.metrics, categories, value_width, self.console.width)[0]
        width = label_width(categories)
        if self.headed != group:
            self.headed = group
            for line in _heading(block, width):
                self.console.print(Text(line, style="bold"), soft_wrap=True)
        summary = summarise([Result(record, None) for record in records], self.metrics, columns)
        row = Text(_RULE).join([Text(f"{category:<{width}}"), *row_texts(summary, block, category)])
        self.console.print(row, soft_wrap=True)


def _heading(block: Block, width: int) -> list[str]:
    headers = [header_lines(column, block) for column in block.columns]
    tallest = max(len(lines) for lines in headers)
    padded = [[*lines[:-2], *[""] * (tallest - len(lines)), *lines[-2:]] for lines in headers]
    labels = [""] * (tallest - 1) + ["category"]
    return [
        _RULE.join([f"{label:<{width}}", *(f"{lines[i]:<{block.column_width}}" for lines in padded)])
        for i, label in enumerate(labels)
    ]


class _Clock:
    """Counts trials, and estimates the time left from those that this run has finished itself."""

    def __init__(self) -> None:
        self.began = self.latest = time.monotonic()
        self.total = self.reused = self.run = 0

    def __str__(self) -> str:
        return f"[{self.done:>{len(str(self.total))}}/{self.total}]"

    @property
    def done(self) -> int:
        return self.reused + self.run

    def start(self, total: int) -> None:
        self.began = self.latest = time.monotonic()
        self.total = total

    def count(self, reused: bool) -> None:
        self.reused += reused
        self.run += not reused
        self.latest = time.monotonic()

    def left(self) -> float | None:
        """Seconds; None before the first trial of this run has ended."""
        if not self.run:
            return None
        at_latest = (self.latest - self.began) / self.run * (self.total - self.done)
        return max(0.0, at_latest - (time.monotonic() - self.latest))


class _TimeLeft(ProgressColumn):
    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self.clock = clock

    def render(self, task: Task) -> Text:
        left = None if task.total is None or task.finished else self.clock.left()
        return Text("" if left is None else f"{_duration(left)} left", style="cyan")


class _Now(ProgressColumn):
    """The latest report of a running trial, read at most once a second; without one, the trial that started first."""

    max_refresh = 1.0

    def __init__(self, going: Mapping[str, TrialSpec], folder: Path | None) -> None:
        super().__init__()
        self.going, self.folder = going, folder

    def render(self, task: Task) -> Text:
        reported = None if self.folder is None else progress_file.latest(self.folder)
        name, line = reported or ("", "")
        spec = self.going.get(name.partition("-")[0])
        return Text(task.fields["now"] if spec is None else f"{_name(spec)}: {line}", style="dim")


def _name(spec: TrialSpec) -> str:
    return " ".join(filter(None, [spec.category, spec.method, spec.label]))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
