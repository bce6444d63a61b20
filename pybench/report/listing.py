"""Lists of named things: aligned columns on a terminal, tab-separated lines where a program reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {"ok": "green", "unavailable": "yellow", "missing": "yellow", "warning": "yellow", "broken": "red"}


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows under the names of all their columns. Where the output is not a terminal, each row is one line with
    tabs between its values, for tools such as ``cut`` and ``grep``."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = [[_text(row.get(name)) for name in names] for row in rows]
    if not console.is_terminal:
        # Not by way of print, which turns tabs into spaces.
        console.file.write("".join("\t".join(line) + "\n" for line in (names, *texts)))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for line in texts:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in line))
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else " ".join(str(value).split())
