"""The command ``pybench``: puts its commands together.

Nothing but typer is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pybench.cli import best, data, doctor, gate, latency, lists, run, show, submit, tune
from pybench.cli.commands import Commands, new_app, with_examples
from pybench.version import __version__

app = new_app(
    "Benchmark anomaly detectors for industrial inspection: run suites, read the tables, bring your own images.",
    "pybench run mvtec_rto                      # the main suite; draws a stand-in where the data is not there",
    "pybench run suites/mtd.yaml --data-root ~/data --profile quick",
    "pybench show mvtec_rto                     # the table of that run, again",
    'pybench best mvtec_rto --under "latency_p95_ms<=20"      # which of its methods to take',
    "pybench tune mvtec_ad --method hetmm --metric aupro_30   # better parameters, found without a test label",
    "pybench latency latency --profile quick    # how long each method takes, and for what",
    "pybench doctor                             # what this machine has, and what it lacks",
    cls=Commands,
    add_completion=True,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pybench {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options of ``pybench`` itself."""


app.command(epilog=with_examples(*run.EXAMPLES))(run.run)
app.command(epilog=with_examples(*tune.EXAMPLES))(tune.tune)
app.command(epilog=with_examples(*best.EXAMPLES))(best.best)
app.command(epilog=with_examples(*latency.EXAMPLES))(latency.latency)
app.command(epilog=with_examples(*gate.EXAMPLES))(gate.gate)
app.command(name="list", epilog=with_examples(*lists.EXAMPLES))(lists.list_)
app.command(epilog=with_examples(*show.EXAMPLES))(show.show)
app.command(epilog=with_examples(*show.EXPORT_EXAMPLES))(show.export)
app.command(epilog=with_examples(*submit.EXAMPLES))(submit.submit)
app.command(epilog=with_examples(*doctor.EXAMPLES))(doctor.doctor)
app.add_typer(data.app, name="data")


def main() -> None:
    """Entry point of the command."""
    app(prog_name="pybench")
