"""The result table on a terminal: methods across, categories down, and a row per method with latency and memory."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pybench.records import Result
from pybench.report.names import two_lines
from pybench.report.summary import Cell, Column, Mark, MethodRow, Summary, summaries

SIGNS: dict[Mark, str] = {"": " ", "best": "*", "second": "+"}
STYLES: dict[Mark, str] = {"": "", "best": "bold green", "second": "underline"}
METHOD_HEADINGS = (
    ("latency", "p50 ms"),
    ("latency", "p95 ms"),
    ("predict", "p50 ms"),
    ("memory", "MB"),
    ("fit", "s"),
)
VALUE_WIDTH = len("100.0")
_LATENCY = "latency, ms"
_LONGEST_LABEL = 24
_BORDER = 3  # a cell's padding and its rule


@dataclass(frozen=True)
class Block:
    """As many columns as fit side by side, each with one sub-column per metric of the given width."""

    columns: tuple[Column, ...]
    metrics: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def column_width(self) -> int:
        return sum(self.widths) + len(self.widths) - 1


def print_results(console: Console, results: Sequence[Result], metrics: Sequence[str] = ()) -> None:
    """Prints one table per suite, dataset, profile and protocol; ``metrics`` as in ``summaries``."""
    for summary in summaries(results, metrics):
        console.print(render(summary, console.width))


def save_svg(results: Sequence[Result], file: Path, width: int = 100, metrics: Sequence[str] = ()) -> None:
    """Saves the tables as a picture of a terminal ``width`` characters wide, as the one in the README."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=width, file=nowhere, force_terminal=True, color_system="truecolor")
        print_results(console, results, metrics)
    picture = console.export_svg(title="pybench")
    # Rich's picture fetches its font from the network; the reader's own monospaced font will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("Fira Code, ", "")
    file.write_text(picture, encoding="utf-8")


def render(summary: Summary, width: int) -> Group:
    """The whole of one summary for a terminal of this many characters."""
    parts: list[RenderableType] = [Text(), Text(summary.title, style="bold")]
    parts += [Text(fact, style="dim") for fact in summary.facts]
    shown = [cell for cell in (*summary.cells.values(), *summary.means.values()) if cell.value is not None]
    value_width = max([VALUE_WIDTH, *(len(str(cell)) for cell in shown)])
    blocks = arrange(summary.columns, summary.metrics, summary.categories, value_width, width)
    parts += [_category_table(summary, block) for block in blocks]
    parts += [Text(legend(summary), style="dim"), method_table(summary)]
    parts += [Text(note, style="dim") for note in summary.notes]
    return Group(*parts)


def legend(summary: Summary) -> str:
    """How to read the marks, which need no colours."""
    empty = any(str(cell) == "" for cell in summary.cells.values())
    return "in %; * best and + second best of a row, ties alike" + ("; empty: not run" if empty else "")


def arrange(
    columns: Sequence[Column], metrics: Sequence[str], categories: Sequence[str], value_width: int, width: int
) -> list[Block]:
    """All metrics of a method side by side where every method then fits in the width, else one block per metric;
    methods that still do not fit go into further blocks."""
    sub = {metric: max(value_width, *(len(line) for line in two_lines(metric))) + 1 for metric in metrics}
    room = width - 1 - label_width(categories) - _BORDER
    together = Block(tuple(columns), tuple(metrics), tuple(sub[metric] for metric in metrics))
    if len(columns) * (together.column_width + _BORDER) <= room:
        return [together]
    longest_word = max(len(word) for column in columns for word in column.label.split())
    found = []
    for metric in metrics:
        column_width = max(sub[metric], min(longest_word, _LONGEST_LABEL))
        count = max(1, room // (column_width + _BORDER))
        for start in range(0, len(columns), count):
            found.append(Block(tuple(columns[start : start + count]), (metric,), (column_width,)))
    return found


def label_width(categories: Sequence[str]) -> int:
    """Width of the first column."""
    return max(len(_LATENCY), *(len(category) for category in categories))


def header_lines(column: Column, block: Block) -> list[str]:
    """A column's heading: the method, what sets it apart, and the metrics over their sub-columns."""
    lines = [line for part in (column.method, column.detail) for line in textwrap.wrap(part, block.column_width)]
    names = [two_lines(metric) for metric in block.metrics]
    for i in (0, 1):
        lines.append(" ".join(f"{name[i]:>{width - 1}} " for name, width in zip(names, block.widths, strict=True)))
    return lines


def cells_text(cells: Sequence[Cell], block: Block) -> Text:
    """The values of one method in one row, each with its mark; a status is given once."""
    texts = [str(cell) for cell in cells]
    if all(cell.value is None for cell in cells) and len(set(texts)) == 1 and len(texts[0]) > 1:
        return Text(f"{texts[0]:<{block.column_width}}"[: block.column_width], style="red")
    line = Text()
    for cell, text, width in zip(cells, texts, block.widths, strict=True):
        line.append(" " if line else "")
        line.append(f"{text:>{width - 1}}"[: -len(text)] if text else " " * (width - 1))
        line.append(text, style=STYLES[cell.mark])
        line.append(SIGNS[cell.mark])
    return line


def row_texts(summary: Summary, block: Block, category: str) -> Iterator[Text]:
    """One text per column of a block: the row of a category."""
    for column in block.columns:
        yield cells_text([summary.cells[category, column.key, metric] for metric in block.metrics], block)


def method_table(summary: Summary) -> Table:
    """A row per method: mean metrics, latency, memory and time to fit."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", vertical="bottom")
    for heading in (*(two_lines(metric) for metric in summary.metrics), *METHOD_HEADINGS):
        table.add_column("\n".join(heading), justify="right")
    fastest = fastest_latency(summary)
    for row in summary.methods:
        means = [summary.means[row.column.key, metric] for metric in summary.metrics]
        texts = [*((str(cell), cell.mark) for cell in means), *measured(row, fastest)]
        table.add_row(Text(row.column.label), *(_marked(text, mark) for text, mark in texts))
    return table


def fastest_latency(summary: Summary) -> float | None:
    """The smallest p50, end to end; None where there are not two methods to compare."""
    medians = [row.latency.end_to_end.p50 for row in summary.methods if row.latency]
    return min(medians) if len(medians) > 1 else None


def measured(row: MethodRow, fastest: float | None) -> list[tuple[str, Mark]]:
    """The columns of ``METHOD_HEADINGS`` as text; ``!`` says that something was flagged about the measurement."""
    fit = "" if row.fit_seconds is None else f"{row.fit_seconds:.1f}"
    latency = row.latency
    if latency is None:
        return [(row.failure, ""), ("", ""), ("", ""), ("", ""), (fit, "")]
    best: Mark = "best" if latency.end_to_end.p50 == fastest else ""
    return [
        (milliseconds(latency.end_to_end.p50), best),
        (milliseconds(latency.end_to_end.p95) + ("!" if latency.flags else ""), ""),
        (milliseconds(latency.predict.p50), ""),
        (f"{latency.peak_memory_mb:.0f}", ""),
        (fit, ""),
    ]


def milliseconds(value: float) -> str:
    """Three significant digits, as many as a percentile of some hundred calls supports."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _category_table(summary: Summary, block: Block) -> Table:
    table = Table(box=box.ROUNDED)
    table.add_column("category", vertical="bottom", min_width=label_width(summary.categories), no_wrap=True)
    headers = [header_lines(column, block) for column in block.columns]
    tallest = max(len(lines) for lines in headers)
    for lines in headers:
        names, metrics = lines[:-2], lines[-2:]
        heading = "\n".join([*names, *[""] * (tallest - len(lines)), *metrics])
        table.add_column(Text(heading), min_width=block.column_width, no_wrap=True)
    for category in summary.categories:
        table.add_row(Text(category), *row_texts(summary, block, category))
    table.add_section()
    means = [[summary.means[column.key, metric] for metric in block.metrics] for column in block.columns]
    table.add_row("mean", *(cells_text(cells, block) for cells in means))
    if any(row.latency for row in summary.methods):
        table.add_row(_LATENCY, *(_latency_text(summary, column, block) for column in block.columns))
    return table


def _latency_text(summary: Summary, column: Column, block: Block) -> Text:
    """Of several image sizes the slowest one counts."""
    medians = [row.latency.end_to_end.p50 for row in summary.methods if row.column == column and row.latency]
    if not medians:
        return Text()
    value = milliseconds(max(medians))
    text = Text(" " * max(0, block.widths[0] - 1 - len(value)))
    mark: Mark = "best" if max(medians) == fastest_latency(summary) else ""
    return text.append(value, style=STYLES[mark]).append(SIGNS[mark])


def _marked(text: str, mark: Mark) -> Text:
    return Text(text, style=STYLES[mark]).append(SIGNS[mark] if text else "")
