"""The commands ``pybench data ...``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli import completion
from pybench.cli.commands import new_app, with_examples
from pybench.cli.errors import EXIT_INPUT, complain
from pybench.cli.lists import Catalogue, print_catalogue
from pybench.cli.options import (
    DataRoot,
    DatasetOption,
    FormatOption,
    ListFormat,
    PluginsOption,
    add_plugins,
    pairs,
    writable,
)
from pybench.cli.output import console, print_list

app = new_app(
    "Look at datasets: which there are, whether the images on disk can be used, and the drawn stand-in.",
    "pybench data list --data-root ~/data",
    "pybench data check magnetic_tile --data-root ~/data",
)


@app.command(
    name="list", epilog=with_examples("pybench data list", "pybench data list --data-root ~/data --format json")
)
def data_list(
    data_root: DataRoot = None,
    format: FormatOption = ListFormat.table,
    plugins: PluginsOption = None,
) -> None:
    """List datasets with their licences, and whether they are below the data root."""
    print_catalogue(Catalogue.datasets, format, data_root, plugins)


@app.command(
    name="check",
    epilog=with_examples(
        "pybench data check magnetic_tile --data-root ~/data",
        "pybench data check mvtec_ad --data-root ~/data --category bottle --set alpha=white",
        "pybench data check folder --data-root ~/photos --category lid --set normal=lid/ok --set defective=lid/nok",
    ),
)
def data_check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset.", autocompletion=completion.datasets)],
    data_root: DataRoot = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Category to check. Repeatable; default: all.")
    ] = None,
    set: DatasetOption = None,
    format: FormatOption = ListFormat.table,
    plugins: PluginsOption = None,
) -> None:
    """Read every image and mask of a dataset, count them, and name those that cannot be used (exit code 2)."""
    add_plugins(plugins)
    from pybench.report.data_check import check

    rows, problems = check(name, data_root, category or [], pairs("--set", set), console(stderr=True))
    print_list(rows, format)
    if problems:
        complain("\n".join(problems))
        raise typer.Exit(EXIT_INPUT)


@app.command(
    name="standin",
    epilog=with_examples(
        "pybench data standin --to ~/data/mvtec_ad_standin",
        "pybench data standin --to /tmp/few --set train=10 --set size=128",
    ),
)
def data_standin(
    to: Annotated[Path, typer.Option(metavar="DIR", help="An empty or new folder.")],
    set: DatasetOption = None,
) -> None:
    """Draw the procedural stand-in for MVTec AD into a folder, in MVTec's layout."""
    from pybench.datasets.mvtec_ad import CATEGORIES
    from pybench.datasets.mvtec_ad_standin import StandinOptions
    from pybench.datasets.standin.generate import generate
    from pybench.report.data_check import options_from
    from pybench.types import InputError

    options = options_from(StandinOptions, pairs("--set", set))
    folder = writable(to)
    if any(folder.iterdir()):
        raise InputError(f"{folder}: not empty; give a new folder")
    generate(folder, CATEGORIES, **options.model_dump(exclude={"alpha"}))
    typer.echo(f"{len(CATEGORIES)} categories drawn in {folder}", err=True)


@app.command(
    name="sheet",
    epilog=with_examples(
        "pybench data sheet --to sheets",
        "pybench data sheet --to sheets --category bottle",
    ),
)
def data_sheet(
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder that gets one PNG per category.")],
    category: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Category to draw. Repeatable; default: all.")
    ] = None,
) -> None:
    """Draw contact sheets of the stand-in: normal images, then each defect type with its masks outlined."""
    from pybench.datasets.standin.catalogue import CATEGORIES
    from pybench.datasets.standin.sheet import contact_sheet
    from pybench.registry import unknown
    from pybench.types import InputError

    for name in category or CATEGORIES:
        if name not in CATEGORIES:
            raise InputError(unknown("category of mvtec_ad_standin", name, CATEGORIES))
        contact_sheet(CATEGORIES[name]).save(writable(to) / f"{name}.png")
