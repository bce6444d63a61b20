"""The commands ``pybench show`` and ``pybench export``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli import completion
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
    "pybench show mvtec_rto",
    "pybench show results/mtd --metric image_auroc --metric image_ap",
    "pybench show mvtec_rto --format json --filter status=failed | jq '.[].reason'",
)
EXPORT_EXAMPLES = (
    "pybench export mvtec_rto                           # writes mvtec_rto.parquet",
    "pybench export results --to all_runs.csv",
)


def show(
    run: RunName,
    format: ShowFormatOption = ShowFormat.table,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Metric that the table shows. Repeatable; default: three.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    filter: RunFilter = None,
    plugins: PluginsOption = None,
) -> None:
    """Show the results of a run."""
    add_plugins(plugins)
    from pybench.report import markdown, summary, table
    from pybench.report.export import to_csv
    from pybench.results import flat
    from pybench.results.store import find_runs

    results = [result for store in find_runs(run) for result in store.results()]
    results = flat.filtered(results, pairs("--filter", filter))
    if format is ShowFormat.json:
        typer.echo(flat.to_json([flat.trial_object(result) for result in results]))
    elif format is ShowFormat.csv:
        typer.echo(to_csv(flat.rows(results)), nl=False)
    elif format is ShowFormat.markdown:
        typer.echo(markdown.to_markdown(summary.summaries(results, metric or ())))
    else:
        table.print_results(console(), results, metric or ())


def export(
    run: RunName,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file name that ends in .parquet or .csv. Default: RUN's name, .parquet."),
    ] = None,
) -> None:
    """Write a run as one flat table, a row per trial."""
    from pybench.report.export import write_table
    from pybench.results import flat
    from pybench.results.store import find_runs

    rows = flat.rows([result for store in find_runs(run) for result in store.results()])
    to = to or Path(f"{Path(run).resolve().name}.parquet")
    write_table(rows, to)
    typer.echo(f"{len(rows)} trials written to {to}", err=True)
