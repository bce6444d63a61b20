"""The command ``pybench latency``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pybench.cli import completion
from pybench.cli.errors import EXIT_FAILED, interruptible
from pybench.cli.options import (
    AddressOption,
    DataRoot,
    ExecutorName,
    ExecutorOption,
    FilterOption,
    OtherDatasets,
    PluginsOption,
    ProfileOption,
    SetOption,
    ShowFormat,
    ShowFormatOption,
    add_plugins,
    writable,
)
from pybench.cli.output import console, print_notes, print_place
from pybench.cli.planning import check_address, new_executor, plan_options, plan_suite

if TYPE_CHECKING:
    from pybench.records import Latency, LatencyFailure, Result

EXAMPLES = (
    "pybench latency latency --profile quick                 # the suite that is made for it: suites/latency.yaml",
    "pybench latency mvtec_ad --filter method=padim --set latency.seconds=20",
    "pybench latency results/mvtec_rto --force               # the methods of a run, again",
    "pybench latency results/mvtec_rto --profile paper       # longer than they were measured in the run",
)


def latency(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|RUN",
            help="A suite, or the folder of a run (its name, where no suite has it).",
            autocompletion=completion.suites_and_runs,
        ),
    ],
    profile: ProfileOption = None,
    filter: FilterOption = None,
    set: SetOption = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="A suite's go to DIR/<suite's name>.")] = Path("results"),
    data_root: DataRoot = None,
    dataset: OtherDatasets = None,
    executor: ExecutorOption = ExecutorName.inline,
    address: AddressOption = None,
    force: Annotated[bool, typer.Option("--force", help="Measure anew what was measured with this code.")] = False,
    format: ShowFormatOption = ShowFormat.table,
    plugins: PluginsOption = None,
) -> None:
    """Measure how long single images take: of a suite's methods, fitted on their largest category, or of a run's.

    For a run, --profile says how long is measured, and --filter takes what `pybench show` takes. Exit codes: 0 all
    were measured, 1 one failed, 2 unusable input, 130 interrupted.
    """
    options = plan_options(profile, filter, set, data_root)
    check_address(executor, address)
    add_plugins(plugins)
    from pybench.records import LatencyFailure
    from pybench.report.progress import RunProgress
    from pybench.results.store import Store
    from pybench.run.latencies import find_run, measure_plan, plan_of_run
    from pybench.types import InputError

    store = find_run(what)
    if store is None:
        plan = plan_suite(what, dataset, options)
        store = Store(writable(out / plan.suite))
    elif options["overrides"] or dataset:
        raise InputError(f"{what} is a run: --set and --dataset are for suites")
    else:
        plan = plan_of_run(store, options["profile"], options["filters"], data_root)
    messages = console(stderr=True)
    print_notes(messages, plan.notes)
    with (
        interruptible(f"what was measured is kept in {store.folder}"),
        RunProgress(plan.specs, messages) as progress,
        new_executor(executor, address) as lazy,
    ):
        measured = measure_plan(plan, store, lazy, force=force, listener=progress)
    _show(measured, store.results(), format)
    print_place(messages, "latencies", store.folder)
    if any(isinstance(one, LatencyFailure) and one.status != "skipped" for one in measured):
        raise typer.Exit(EXIT_FAILED)


def _show(measured: list[Latency | LatencyFailure], results: list[Result], format: ShowFormat) -> None:
    from pybench.report import latencies
    from pybench.report.export import to_csv
    from pybench.results import flat

    if format is ShowFormat.json:
        typer.echo(flat.to_json(latencies.objects(measured, results)))
    elif format is ShowFormat.csv:
        typer.echo(to_csv(flat.table(latencies.objects(measured, results))), nl=False)
    elif format is ShowFormat.markdown:
        typer.echo(latencies.to_markdown(latencies.reports(measured, results)))
    else:
        latencies.print_reports(console(), latencies.reports(measured, results))
