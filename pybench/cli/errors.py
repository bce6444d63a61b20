"""Exit codes, and how errors and interruptions reach the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def complain(message: str) -> None:
    """An error on standard error: one red block."""
    first, *rest = message.splitlines() or [""]
    typer.secho("\n".join([f"error: {first}", *(f"       {line}" for line in rest)]), fg=typer.colors.RED, err=True)


@contextmanager
def interruptible(consequence: str = "") -> Iterator[None]:
    """Ctrl-C ends the command with exit code 130 and a message that names the consequence, if there is any.

    Raises:
        typer.Exit: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        complain("; ".join(filter(None, ["interrupted", consequence])))
        raise typer.Exit(EXIT_INTERRUPTED) from None
