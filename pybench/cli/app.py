"""The command ``pybench``: arguments only; the work is done by the modules that each command imports.

Nothing but typer is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pybench.cli import best, gate, latency, tune
from pybench.cli.options import (
    EXIT_FAILED,
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    AddressOption,
    Commands,
    DataRoot,
    DatasetOption,
    ExecutorName,
    ExecutorOption,
    FilterOption,
    FormatOption,
    ListFormat,
    OtherDatasets,
    Plugins,
    ProfileOption,
    RunFilter,
    RunName,
    SetOption,
    ShowFormat,
    ShowFormatOption,
    SuiteName,
    add_plugins,
    complain,
    console,
    executor_maker,
    new_app,
    pairs,
    print_list,
    with_examples,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Listed(enum.StrEnum):
    methods = "methods"
    datasets = "datasets"
    metrics = "metrics"
    suites = "suites"


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
)
data_app = new_app(
    "Look at datasets: which there are, whether the images on disk can be used, and the drawn stand-in.",
    "pybench data list --data-root ~/data",
    "pybench data check magnetic_tile --data-root ~/data",
)
app.add_typer(data_app, name="data")


@app.command(
    epilog=with_examples(
        "pybench run mvtec_rto --dry-run                         # list the trials and their keys, run nothing",
        "pybench run mvtec_rto --filter category=bottle,cable --filter method=padim",
        "pybench run mvtec_ad --data-root ~/data --set params.backbone=resnet18 --set seeds=[0,1,2]",
        "pybench run my_suite.yaml --plugins ./mine --executor inline --force",
    )
)
def run(
    suite: SuiteName,
    profile: ProfileOption = None,
    filter: FilterOption = None,
    set: SetOption = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Records go to DIR/<suite's name>.")] = Path("results"),
    data_root: DataRoot = None,
    dataset: OtherDatasets = None,
    executor: ExecutorOption = ExecutorName.ray,
    address: AddressOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run every trial anew, also those that are finished.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the trials and their keys; run nothing.")] = False,
    plugins: Plugins = None,
) -> None:
    """Run a suite; finished trials are kept, so the same command goes on where it was stopped.

    Exit codes: 0 all trials ended well, 1 a trial or a latency failed, 2 unusable input, 130 interrupted.
    """
    filters, overrides = pairs("--filter", filter), pairs("--set", set)
    make_executor = executor_maker(executor, address)
    add_plugins(plugins)
    from pybench.planning.plan import plan
    from pybench.planning.suite import load_suite, on_other_datasets

    loaded, document = load_suite(suite)
    planned = plan(
        on_other_datasets(loaded, dataset) if dataset else loaded,
        document,
        profile=profile.value if profile else None,
        filters=filters,
        overrides=overrides,
        data_root=data_root,
    )
    messages = console(stderr=True)
    for note in planned.notes:
        messages.print(note, markup=False, highlight=False, soft_wrap=not messages.is_terminal)
    if dry_run:
        from pybench.report.catalogue import trials
        from pybench.report.listing import print_rows

        print_rows(console(), trials(planned.specs))
        return

    from pybench.report.progress import RunProgress
    from pybench.report.table import print_results
    from pybench.results.store import Store
    from pybench.run.run_plan import run as run_plan

    store = Store(writable(out / planned.suite))
    try:
        with RunProgress(planned.specs, messages, store.underway) as progress:
            results = run_plan(planned, store, make_executor, force=force, listener=progress)
    except KeyboardInterrupt:
        complain(f"interrupted; finished trials are kept in {store.folder}, and the same command goes on from there")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    print_results(console(), results)
    messages.print(f"records: {store.folder}", markup=False, highlight=False, soft_wrap=True)
    if any(result.has_failed for result in results):
        raise typer.Exit(EXIT_FAILED)


app.command(epilog=with_examples(*tune.EXAMPLES))(tune.tune)
app.command(epilog=with_examples(*best.EXAMPLES))(best.best)
app.command(epilog=with_examples(*latency.EXAMPLES))(latency.latency)
app.command(epilog=with_examples(*gate.EXAMPLES))(gate.gate)


@app.command(
    name="list",
    epilog=with_examples(
        "pybench list suites",
        "pybench list methods --format json",
        "pybench list metrics --plugins ./mine",
    ),
)
def list_(
    what: Annotated[Listed, typer.Argument(metavar="methods|datasets|metrics|suites")],
    format: FormatOption = ListFormat.table,
    data_root: DataRoot = None,
    plugins: Plugins = None,
) -> None:
    """List what there is, and why some of it cannot be used here."""
    add_plugins(plugins)
    from pybench.report import catalogue

    listings: dict[Listed, Callable[[], list[dict[str, Any]]]] = {
        Listed.methods: catalogue.methods,
        Listed.datasets: lambda: catalogue.datasets(data_root),
        Listed.metrics: catalogue.metrics,
        Listed.suites: catalogue.suites,
    }
    print_list(listings[what](), format)


@app.command(
    epilog=with_examples(
        "pybench show mvtec_rto",
        "pybench show results/mtd --metric image_auroc --metric image_ap",
        "pybench show mvtec_rto --format json --filter status=failed | jq '.[].reason'",
    )
)
def show(
    run: RunName,
    format: ShowFormatOption = ShowFormat.table,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Metric that the table shows. Repeatable; default: three.")
    ] = None,
    filter: RunFilter = None,
    plugins: Plugins = None,
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


@app.command(
    epilog=with_examples(
        "pybench export mvtec_rto                           # writes mvtec_rto.parquet",
        "pybench export results --to all_runs.csv",
    )
)
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


@app.command(epilog=with_examples("pybench doctor", "pybench doctor --data-root ~/data --format json"))
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


@data_app.command(
    name="list", epilog=with_examples("pybench data list", "pybench data list --data-root ~/data --format json")
)
def data_list(
    data_root: DataRoot = None,
    format: FormatOption = ListFormat.table,
    plugins: Plugins = None,
) -> None:
    """List datasets with their licences, and whether they are below the data root."""
    list_(Listed.datasets, format, data_root, plugins)


@data_app.command(
    name="check",
    epilog=with_examples(
        "pybench data check magnetic_tile --data-root ~/data",
        "pybench data check mvtec_ad --data-root ~/data --category bottle --set alpha=white",
        "pybench data check folder --data-root ~/photos --category lid --set normal=lid/ok --set defective=lid/nok",
    ),
)
def data_check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset.")],
    data_root: DataRoot = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Category to check. Repeatable; default: all.")
    ] = None,
    set: DatasetOption = None,
    format: FormatOption = ListFormat.table,
    plugins: Plugins = None,
) -> None:
    """Read every image and mask of a dataset, count them, and name those that cannot be used (exit code 2)."""
    add_plugins(plugins)
    from pybench.report.data_check import check

    rows, problems = check(name, data_root, category or [], pairs("--set", set), console(stderr=True))
    print_list(rows, format)
    if problems:
        complain("\n".join(problems))
        raise typer.Exit(EXIT_INPUT)


@data_app.command(
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


@data_app.command(
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


def main() -> None:
    """Entry point of the command."""
    app(prog_name="pybench")
