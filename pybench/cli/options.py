"""The arguments and options that commands share, and how their values are read.

Imports nothing but typer at its top, so that ``--help`` answers at once.
"""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Annotated

import typer

from pybench.cli import completion


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
    str,
    typer.Argument(
        metavar="SUITE",
        help="A suite's file, or the name of one that comes with pybench.",
        autocompletion=completion.suites,
    ),
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
        autocompletion=completion.datasets,
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
PluginsOption = Annotated[
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
RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run's folder, or its name below results/.", autocompletion=completion.runs),
]
RunFilter = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="Keep these trials: method, status, params.NAME, ...; a,b keeps both. Repeatable."
    ),
]


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
