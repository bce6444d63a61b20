"""The command ``pybench best``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli import completion
from pybench.cli.errors import EXIT_FAILED
from pybench.cli.options import (
    PluginsOption,
    RunFilter,
    RunName,
    ShowFormat,
    ShowFormatOption,
    add_plugins,
    pairs,
)
from pybench.cli.output import console

EXAMPLES = (
    'pybench best mvtec_rto --under "latency_p95_ms<=20, peak_memory_mb<=4096"',
    "pybench best mvtec_rto --metric image_auroc --plot front.svg",
    'pybench best results/mtd --under "latency_p50_ms<=100" --filter method=hetmm,padim --format json',
)


def best(
    run: RunName,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="What decides.", autocompletion=completion.metrics)
    ] = "aupro_30",
    under: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'QUANTITY<=NUMBER, ...'",
            help="Limits on latency_p50_ms, latency_p95_ms and peak_memory_mb, separated by commas. Repeatable.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw accuracy over latency and memory; ends in .png, .svg or .pdf."),
    ] = None,
    format: ShowFormatOption = ShowFormat.table,
    filter: RunFilter = None,
    plugins: PluginsOption = None,
) -> None:
    """Which method and settings of a run to take: the best that keeps limits on latency and memory.

    Exit codes: 0 there is a best, 1 nothing can be chosen within the limits (on one of the run's datasets), 2 unusable
    input.
    """
    from pybench.results.constraints import parse
    from pybench.types import InputError

    constraints = parse(under or [], "--under")
    if plot is not None:
        from pybench.report import front_plot

        front_plot.check_suffix(plot)
    add_plugins(plugins)
    from pybench.report import best as report
    from pybench.report.export import to_csv
    from pybench.report.selection import selections
    from pybench.results.flat import filtered, to_json
    from pybench.results.store import find_runs

    results = [result for store in find_runs(run) for result in store.results()]
    found = selections(filtered(results, pairs("--filter", filter)), metric, constraints)
    if plot is not None:
        if len(found) > 1:
            tables = "; ".join(selection.place for selection in found)
            raise InputError(f"--plot draws one table, and here are {len(found)}; choose with --filter: {tables}")
        front_plot.save(found[0], plot)
    if format is ShowFormat.json:
        typer.echo(to_json([report.selection_object(selection) for selection in found]))
    elif format is ShowFormat.csv:
        typer.echo(to_csv(report.rows(found)), nl=False)
    elif format is ShowFormat.markdown:
        typer.echo(report.to_markdown(found))
    else:
        report.print_selections(console(), found)
    if any(selection.best is None for selection in found):
        raise typer.Exit(EXIT_FAILED)
