"""The command ``pybench doctor``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli.errors import EXIT_FAILED
from pybench.cli.options import DataRoot, FormatOption, ListFormat
from pybench.cli.output import print_list

EXAMPLES = ("pybench doctor", "pybench doctor --data-root ~/data --format json")


def doctor(
    format: FormatOption = ListFormat.table,
    data_root: DataRoot = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that runs write to.")] = Path("results"),
) -> None:
    """Say what this machine has, what it lacks and what to do about it; exit code 1 where trials cannot run."""
    from pybench.report.doctor import examine

    checks = list(examine(data_root, out))
    print_list([check._asdict() for check in checks], format)
    if any(check.status == "broken" for check in checks):
        raise typer.Exit(EXIT_FAILED)
