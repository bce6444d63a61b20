"""The command ``pybench latency``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pybench.cli.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    AddressOption,
    DataRoot,
    ExecutorName,
    ExecutorOption,
    FilterOption,
    OtherDatasets,
    Plugins,
    ProfileName,
    ProfileOption,
    SetOption,
    ShowFormat,
    ShowFormatOption,
    add_plugins,
    complain,
    console,
    executor_maker,
    pairs,
    writable,
)

if TYPE_CHECKING:
    from pybench.planning.plan import Plan
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
        typer.Argument(metavar="SUITE|RUN", help="A suite, or the folder of a run (its name, where no suite has it)."),
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
    plugins: Plugins = None,
) -> None:
    """Measure how long single images take: of a suite's methods, fitted on their largest category, or of a run's.

    For a run, --profile says how long is measured, and --filter takes what `pybench show` takes. Exit codes: 0 all
    were measured, 1 one failed, 2 unusable input, 130 interrupted.
    """
    filters, overrides = pairs("--filter", filter), pairs("--set", set)
    make_executor = executor_maker(executor, address)
    add_plugins(plugins)
    from pybench.records import LatencyFailure
    from pybench.report.progress import RunProgress
    from pybench.results.store import Store
    from pybench.run.latencies import find_run, measure_plan, plan_of_run
    from pybench.types import InputError

    messages = console(stderr=True)
    store = find_run(what)
    if store is None:
        plan = _of_suite(what, profile, filters, overrides, data_root, dataset)
        store = Store(writable(out / plan.suite))
    elif overrides or dataset:
        raise InputError(f"{what} is a run: --set and --dataset are for suites")
    else:
        plan = plan_of_run(store, profile.value if profile else None, filters, data_root)
    for note in plan.notes:
        messages.print(note, markup=False, highlight=False, soft_wrap=not messages.is_terminal)
    try:
        with RunProgress(plan.specs, messages) as progress:
            measured = measure_plan(plan, store, make_executor, force=force, listener=progress)
    except KeyboardInterrupt:
        complain(f"interrupted; what was measured is kept in {store.folder}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _show(measured, store.results(), format)
    messages.print(f"latencies: {store.folder}", markup=False, highlight=False, soft_wrap=True)
    if any(isinstance(one, LatencyFailure) and one.status != "skipped" for one in measured):
        raise typer.Exit(EXIT_FAILED)


def _of_suite(
    suite: str,
    profile: ProfileName | None,
    filters: dict[str, str],
    overrides: dict[str, str],
    data_root: Path | None,
    datasets: list[str] | None,
) -> Plan:
    from pybench.planning.plan import plan
    from pybench.planning.suite import load_suite, on_other_datasets

    loaded, document = load_suite(suite)
    return plan(
        on_other_datasets(loaded, datasets) if datasets else loaded,
        document,
        profile=profile.value if profile else None,
        filters=filters,
        overrides=overrides,
        data_root=data_root,
    )


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
