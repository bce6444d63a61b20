"""A live bar on a terminal with lines above it; elsewhere the lines alone."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text


class LiveBar:
    """A context manager that shows the bar. Classes that follow a run or a search derive from it.

    Args:
        console: shows the bar if it is a terminal.
        name: what is counted, in front of the bar.
        total: how many there are.
        columns: further columns, after the elapsed time.
        fields: values that the columns show, as they are at the start.
    """

    def __init__(self, console: Console, name: str, total: int, *columns: ProgressColumn, **fields: Any) -> None:
        self.console = console
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            *columns,
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(name, total=total, **fields)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def say(self, line: str, style: str = "") -> None:
        """Write a line above the bar."""
        self.console.print(Text(line, style=style), soft_wrap=not self.console.is_terminal)
