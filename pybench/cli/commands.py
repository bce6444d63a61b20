"""Groups of commands: their help ends with examples, and bad input is a message and exit code 2."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from pybench.cli.errors import EXIT_INPUT, complain, interruptible

_PYDANTIC = "Value error, "  # how its messages begin, inside typer


class Commands(TyperGroup):
    """Bad input is a message and exit code 2, Ctrl-C is exit code 130; anything else unexpected keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with interruptible():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except typer.BadParameter as error:
            if not error.message.startswith(_PYDANTIC):
                raise
            message = error.message.removeprefix(_PYDANTIC)
            raise typer.BadParameter(message, error.ctx, error.param, error.param_hint) from None
        except Exception as error:
            from pybench.types import InputError

            if not isinstance(error, InputError):
                raise
            complain(str(error))
            raise typer.Exit(EXIT_INPUT) from None


def new_app(help: str, *examples: str, cls: type[TyperGroup] = TyperGroup, add_completion: bool = False) -> typer.Typer:
    """A group of commands whose help ends with examples.

    Args:
        add_completion: whether it has the options that install completion in a shell.
    """
    return typer.Typer(
        help=help,
        epilog=with_examples(*examples),
        cls=cls,
        add_completion=add_completion,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def with_examples(*lines: str) -> str:
    """An epilog that keeps its lines (which is what ``\\b`` is for)."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
