"""The result table as Markdown, for reports and READMEs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybench.report.names import metric_words
from pybench.report.summary import Cell, Mark, Summary
from pybench.report.table import METHOD_HEADINGS, fastest_latency, measured

LEGEND = "In %; **bold** best and † second best of a row, ties alike."


def to_markdown(summaries: Iterable[Summary]) -> str:
    """One section per table."""
    return "\n".join(line for summary in summaries for line in _section(summary))


def _section(summary: Summary) -> list[str]:
    pairs = [(column, metric) for column in summary.columns for metric in summary.metrics]
    heads = [f"{column.label} {' '.join(metric_words(metric))}" for column, metric in pairs]
    rows = [
        [category, *(_text(summary.cells[category, column.key, metric]) for column, metric in pairs)]
        for category in summary.categories
    ]
    rows.append(["**mean**", *(_text(summary.means[column.key, metric]) for column, metric in pairs)])
    fastest = fastest_latency(summary)
    methods = [
        [
            row.column.label,
            *(_text(summary.means[row.column.key, metric]) for metric in summary.metrics),
            *(_marked(text, mark) for text, mark in measured(row, fastest)),
        ]
        for row in summary.methods
    ]
    method_heads = ["method", *(" ".join(metric_words(metric)) for metric in summary.metrics)]
    method_heads += [" ".join(heading) for heading in METHOD_HEADINGS]
    return [
        f"### {summary.title}",
        "",
        *(f"{fact}  " for fact in summary.facts),
        LEGEND,
        "",
        *table_lines(["category", *heads], rows),
        "",
        *table_lines(method_heads, methods),
        "",
        *(f"- {note}" for note in summary.notes),
        "",
    ]


def table_lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, its first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (heads, rule, *rows)]


def _text(cell: Cell) -> str:
    return _marked(str(cell), cell.mark)


def _marked(text: str, mark: Mark) -> str:
    return {"": text, "best": f"**{text}**", "second": f"{text}†"}[mark]
