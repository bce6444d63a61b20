"""What commands print: consoles, notes and lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from pybench.cli.options import ListFormat

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_WIDTH = 120  # of output that goes to a file or a pipe


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal; ``COLUMNS`` sets the width where there is none."""
    from rich.console import Console

    made = Console(stderr=stderr)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PLAIN_WIDTH
    return made


def print_notes(messages: Console, notes: Iterable[str]) -> None:
    """Notes as they are written; elsewhere than on a terminal, each is one line however long."""
    for note in notes:
        messages.print(note, markup=False, highlight=False, soft_wrap=not messages.is_terminal)


def print_place(messages: Console, what: str, place: object) -> None:
    """Where something was written, in one line that can be copied."""
    messages.print(f"{what}: {place}", markup=False, highlight=False, soft_wrap=True)


def print_list(rows: list[dict[str, Any]], format: ListFormat) -> None:
    """Rows of equal columns on standard output."""
    from pybench.report.listing import print_rows
    from pybench.results.flat import to_json

    if format is ListFormat.json:
        typer.echo(to_json(rows))
    else:
        print_rows(console(), rows)
