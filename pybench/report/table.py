"""The result table on a terminal: methods across, categories down, and a row per method with latency and memory."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pybench.report.names import two_lines
from pybench.report.summary import Cell, Column, Mark, MethodRow, Summary, summaries
from pybench.types import Result

SIGNS: dict[Mark, str] = {"": " ", "best": "*", "second": "+"}
STYLES: dict[Mark, str] = {"": "", "best": "bold green", "second": "underline"}
_LATENCY = "latency, ms"
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


def save_svg(results: Sequence[Result], file: Path, width: int = 110, metrics: Sequence[str] = ()) -> None:
    """Saves the tables as a picture of a terminal that is ``width`` characters wide."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=width, file=nowhere, force_terminal=True, color_system="truecolor")
        print_results(console, results, metrics)
    file.write_text(console.export_svg(title="pybench"), encoding="utf-8")


def render(summary: Summary, width: int) -> Group:
    """The whole of one summary for a terminal of this many characters."""
    parts: list[RenderableType] = [Text(), Text(summary.title, style="bold")]
    parts += [Text(fact, style="dim") for fact in summary.facts]
    parts += [_category_table(summary, block) for block in blocks(summary, width)]
    parts += [Text(legend(summary), style="dim"), method_table(summary)]
    parts += [Text(note, style="dim") for note in summary.notes]
    return Group(*parts)


def legend(summary: Summary) -> str:
    """How to read the marks, which need no colours."""
    empty = any(str(cell) == "" for cell in summary.cells.values())
    return "in %; * best and + second best of a row, ties alike" + ("; empty: not run" if empty else "")


def blocks(summary: Summary, width: int) -> list[Block]:
    """All metrics of a method side by side where every method then fits in the width, else one block per metric;
    methods that still do not fit go into further blocks."""
    shown = [cell for cell in (*summary.cells.values(), *summary.means.values()) if cell.value is not None]
    value_width = max([5, *(len(str(cell)) for cell in shown)])
    sub = {metric: max(value_width, *(len(line) for line in two_lines(metric))) + 1 for metric in summary.metrics}
    room = width - 1 - label_width(summary) - _BORDER
    together = Block(tuple(summary.columns), tuple(summary.metrics), tuple(sub[m] for m in summary.metrics))
    if len(summary.columns) * (together.column_width + _BORDER) <= room:
        return [together]
    found = []
    for metric in summary.metrics:
        word = max(len(word) for column in summary.columns for word in column.label.split())
        column_width = max(sub[metric], min(word, 24))
        count = max(1, room // (column_width + _BORDER))
        for start in range(0, len(summary.columns), count):
            found.append(Block(tuple(summary.columns[start : start + count]), (metric,), (column_width,)))
    return found


def label_width(summary: Summary) -> int:
    return max(len(_LATENCY), *(len(category) for category in summary.categories))


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
    metrics = ["\n".join(two_lines(metric)) for metric in summary.metrics]
    for heading in (*metrics, "latency\np50 ms", "latency\np95 ms", "predict\np50 ms", "memory\nMB", "fit\ns"):
        table.add_column(heading, justify="right")
    fastest = fastest_latency(summary)
    for row in summary.methods:
        means = [_marked(summary.means[row.column.key, metric]) for metric in summary.metrics]
        table.add_row(row.column.label, *means, *_measured(row, fastest))
    return table


def fastest_latency(summary: Summary) -> float | None:
    """The smallest p50, end to end, of the methods that were measured."""
    return min((row.latency.end_to_end.p50 for row in summary.methods if row.latency), default=None)


def milliseconds(value: float) -> str:
    """Three significant digits, as many as a percentile of some hundred calls supports."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _category_table(summary: Summary, block: Block) -> Table:
    table = Table(box=box.ROUNDED)
    table.add_column("category", vertical="bottom", min_width=label_width(summary), no_wrap=True)
    headers = [header_lines(column, block) for column in block.columns]
    tallest = max(len(lines) for lines in headers)
    for lines in headers:
        names, metrics = lines[:-2], lines[-2:]
        heading = "\n".join([*names, *[""] * (tallest - len(lines)), *metrics])
        table.add_column(heading, min_width=block.column_width, no_wrap=True)
    for category in summary.categories:
        table.add_row(category, *row_texts(summary, block, category))
    table.add_section()
    means = [[summary.means[column.key, metric] for metric in block.metrics] for column in block.columns]
    table.add_row("mean", *(cells_text(cells, block) for cells in means))
    if any(row.latency for row in summary.methods):
        table.add_row(_LATENCY, *(_latency_text(summary, column, block) for column in block.columns))
    return table


def _latency_text(summary: Summary, column: Column, block: Block) -> Text:
    """Of several image sizes the slowest one counts."""
    measured = [row.latency.end_to_end.p50 for row in summary.methods if row.column == column and row.latency]
    if not measured:
        return Text()
    value = milliseconds(max(measured))
    text = Text(" " * max(0, block.widths[0] - 1 - len(value)))
    mark: Mark = "best" if max(measured) == fastest_latency(summary) else ""
    return text.append(value, style=STYLES[mark]).append(SIGNS[mark])


def _measured(row: MethodRow, fastest: float | None) -> list[Text]:
    fit = Text("" if row.fit_seconds is None else f"{row.fit_seconds:.1f}")
    latency = row.latency
    if latency is None:
        return [Text() for _ in range(4)] + [fit]
    mark: Mark = "best" if latency.end_to_end.p50 == fastest else ""
    p50 = Text(milliseconds(latency.end_to_end.p50), style=STYLES[mark]).append(SIGNS[mark])
    flagged = "!" if latency.flags else ""
    rest = [
        milliseconds(latency.end_to_end.p95) + flagged,
        milliseconds(latency.predict.p50),
        f"{latency.peak_memory_mb:.0f}",
    ]
    return [p50, *(Text(text) for text in rest), fit]


def _marked(cell: Cell) -> Text:
    return Text(str(cell), style=STYLES[cell.mark]).append(SIGNS[cell.mark])
