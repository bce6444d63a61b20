"""The command ``pybench list``: arguments only."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pybench.cli.options import DataRoot, FormatOption, ListFormat, PluginsOption, add_plugins
from pybench.cli.output import print_list

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = (
    "pybench list suites",
    "pybench list methods --format json",
    "pybench list metrics --plugins ./mine",
)


class Catalogue(enum.StrEnum):
    methods = "methods"
    datasets = "datasets"
    metrics = "metrics"
    suites = "suites"


def list_(
    what: Annotated[Catalogue, typer.Argument(metavar="methods|datasets|metrics|suites")],
    format: FormatOption = ListFormat.table,
    data_root: DataRoot = None,
    plugins: PluginsOption = None,
) -> None:
    """List what there is, and why some of it cannot be used here."""
    print_catalogue(what, format, data_root, plugins)


def print_catalogue(what: Catalogue, format: ListFormat, data_root: Path | None, plugins: Path | None) -> None:
    """Print one of the lists."""
    add_plugins(plugins)
    from pybench.report import catalogue

    lists: dict[Catalogue, Callable[[], list[dict[str, Any]]]] = {
        Catalogue.methods: catalogue.methods,
        Catalogue.datasets: lambda: catalogue.datasets(data_root),
        Catalogue.metrics: catalogue.metrics,
        Catalogue.suites: catalogue.suites,
    }
    print_list(lists[what](), format)
