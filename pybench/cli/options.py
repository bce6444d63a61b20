"""What the commands of ``pybench.cli.app`` have in common: exit codes, error messages, options, consoles.

Imports nothing but typer at its top, so that ``--help`` answers at once.
"""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from pybench.executors import Executor

EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130
_PLAIN_WIDTH = 120  # of output that goes to a file or a pipe


class Commands(TyperGroup):
    """Bad input is a message and exit code 2, Ctrl-C is exit code 130; anything else unexpected keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            from pybench.types import InputError

            if not isinstance(error, InputError):
                raise
            complain(str(error))
            raise typer.Exit(EXIT_INPUT) from None


class ProfileName(enum.StrEnum):
    paper = "paper"
    quick = "quick"
    smoke = "smoke"


class ExecutorName(enum.StrEnum):
    ray = "ray"
    inline = "inline"


class ListFormat(enum.StrEnum):
    table = "table"
    json = "json"


class ShowFormat(enum.StrEnum):
    table = "table"
    json = "json"
    markdown = "markdown"
    csv = "csv"


SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="A suite's file, or the name of one that comes with pybench.")
]
ProfileOption = Annotated[
    ProfileName | None,
    typer.Option(
        metavar="paper|quick|smoke",
        help="The papers' budget, minutes, or seconds. Default: paper where a GPU and the data are, else quick.",
    ),
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Keep these trials: dataset, category, method, seed, data_seed; a,b keeps both. Repeatable.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Override params.NAME, METHOD.NAME, protocol.NAME, resources.NAME, seeds and more. Repeatable.",
    ),
]
ExecutorOption = Annotated[
    ExecutorName, typer.Option(metavar="ray|inline", help="Trials as Ray tasks, or one by one in this process.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Join this Ray cluster (auto: the one of this machine), start none."),
]
OtherDatasets = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[:CATEGORY,...]",
        help="Run the suite's methods on this dataset instead of its own. Repeatable.",
    ),
]
ShowFormatOption = Annotated[
    ShowFormat,
    typer.Option(metavar="table|json|markdown|csv", help="json and csv give everything; nothing else is printed."),
]
FormatOption = Annotated[ListFormat, typer.Option(metavar="table|json", help="How to print it.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="PYBENCH_DATA",
        exists=True,
        file_okay=False,
        resolve_path=True,  # Ray's workers may have another working directory
        metavar="DIR",
        help="Folder that holds one folder per dataset. Without it, mvtec suites run on a drawn stand-in.",
    ),
]
Plugins = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        metavar="DIR",
        help="Folder of your own methods/NAME.py, datasets/NAME.py and metrics/NAME.py.",
    ),
]
DatasetOption = Annotated[
    list[str] | None, typer.Option(metavar="OPTION=VALUE", help="An option of the dataset. Repeatable.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or its name below results/.")]
RunFilter = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="Keep these trials: method, status, params.NAME, ...; a,b keeps both. Repeatable."
    ),
]


def new_app(help: str, *examples: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group of commands whose help ends with examples."""
    return typer.Typer(
        help=help,
        epilog=with_examples(*examples),
        cls=cls,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def with_examples(*lines: str) -> str:
    """An epilog that keeps its lines (which is what ``\\b`` is for)."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """``key=value`` arguments as a dict.

    Raises:
        InputError: no ``=``, or a key that is given twice, of which one value would be lost silently.
    """
    from pybench.types import InputError

    found: dict[str, str] = {}
    for text in given or []:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise InputError(f"{option} {text}: expected KEY=VALUE")
        if key in found:
            raise InputError(f"{option} {key} is given twice: {found[key]} and {value}")
        found[key] = value
    return found


def add_plugins(folder: Path | None) -> None:
    """Make a folder of plug-ins known, where one is given."""
    if folder is not None:
        from pybench import registry

        registry.add_plugins(folder)


def writable(folder: Path) -> Path:
    """The folder, made where it is not there.

    Raises:
        InputError: it cannot be made or written to.
    """
    from pybench.types import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: this folder cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: this folder cannot be written to")
    return folder


def print_list(rows: list[dict[str, Any]], format: ListFormat) -> None:
    """Rows of equal columns on standard output."""
    from pybench.report.listing import print_rows
    from pybench.results.flat import to_json

    if format is ListFormat.json:
        typer.echo(to_json(rows))
    else:
        print_rows(console(), rows)


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal; ``COLUMNS`` sets the width where there is none."""
    from rich.console import Console

    made = Console(stderr=stderr)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PLAIN_WIDTH
    return made


def executor_maker(name: ExecutorName, address: str | None) -> Callable[[], Executor]:
    """Makes the executor when it is called: Ray takes seconds to start, and a run may have nothing left to do.

    Raises:
        typer.BadParameter: an address for an executor that has none.
    """
    if address is not None and name is not ExecutorName.ray:
        raise typer.BadParameter(f"--address needs --executor ray, not {name.value}")

    def make() -> Executor:
        if name is ExecutorName.inline:
            from pybench.executors.inline import InlineExecutor

            return InlineExecutor()
        from pybench.executors.ray import RayExecutor

        return RayExecutor(address)

    return make


def complain(message: str) -> None:
    """An error on standard error: one red block."""
    first, *rest = message.splitlines() or [""]
    typer.secho("\n".join([f"error: {first}", *(f"       {line}" for line in rest)]), fg=typer.colors.RED, err=True)
