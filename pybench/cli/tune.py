"""The command ``pybench tune``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli import completion
from pybench.cli.errors import EXIT_FAILED, interruptible
from pybench.cli.options import (
    AddressOption,
    DataRoot,
    ExecutorName,
    ExecutorOption,
    FilterOption,
    PluginsOption,
    ProfileOption,
    SetOption,
    SuiteName,
    add_plugins,
    writable,
)
from pybench.cli.output import console, print_notes
from pybench.cli.planning import check_address, new_executor, plan_options

EXAMPLES = (
    "pybench tune mvtec_ad --method hetmm --metric aupro_30 --samples 30",
    'pybench tune mvtec_ad --method patchcore --under "latency_p95_ms<=20" --filter category=bottle',
    "pybench tune my_suite.yaml --method padim --data-root ~/data --set params.image_size=256 --executor inline",
    "pybench run results/mvtec_ad_tune_hetmm/best.yaml       # what was found, on the test set",
)


def tune(
    suite: SuiteName,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The method whose parameters are searched.", autocompletion=completion.methods
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What to optimise; default: aupro_30. Repeatable, the first one decides.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    under: Annotated[
        list[str] | None,
        typer.Option(
            "--under",
            "--constraint",
            metavar="'QUANTITY<=NUMBER, ...'",
            help="Limits on latency_p50_ms, latency_p95_ms and peak_memory_mb, measured for each sample. Repeatable.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Settings to try, the defaults included.")] = 20,
    batch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Settings that are tried at once; fewer learn sooner.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the sampler; the same one proposes the same.")] = 0,
    oracle: Annotated[
        bool,
        typer.Option("--oracle", help="Optimise on the test set and its labels: a bound, marked oracle everywhere."),
    ] = False,
    profile: ProfileOption = None,
    filter: FilterOption = None,
    set: SetOption = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Records, search.json and best.yaml go to DIR/<suite>_tune_<method>.")
    ] = Path("results"),
    data_root: DataRoot = None,
    executor: ExecutorOption = ExecutorName.ray,
    address: AddressOption = None,
    plugins: PluginsOption = None,
) -> None:
    """Search a method's parameters without a test label: on held-out normal images and synthetic anomalies on them.

    The same command goes on where it was stopped. Exit codes: 0 something was found, 1 no setting ran or kept the
    constraints, 2 unusable input, 130 interrupted.
    """
    options = plan_options(profile, filter, set, data_root)
    check_address(executor, address)
    add_plugins(plugins)
    from pybench.results.constraints import parse

    constraints = parse(under or [], "--under")
    from pybench.planning.suite import load_suite
    from pybench.search.prepare import prepare

    prepared = prepare(*load_suite(suite), method, tuple(metric or ["aupro_30"]), oracle=oracle, **options)
    messages = console(stderr=True)
    print_notes(messages, prepared.plan.notes)

    from pybench.report.tuning import TuneProgress, print_search
    from pybench.results.store import Store
    from pybench.search import log
    from pybench.search.search import Search
    from pybench.search.settings import Settings

    store = Store(writable(out / prepared.plan.suite))
    settings = Settings(prepared.plan.specs[0].metrics, constraints, samples, batch, seed)
    with (
        interruptible(f"finished trials are kept in {store.folder}, and the same command goes on from there"),
        TuneProgress(prepared, settings, messages) as progress,
        new_executor(executor, address) as lazy,
    ):
        search = Search(prepared.plan, prepared.space, settings, store, lazy, progress)
        search.run(lambda: log.write(store.folder, prepared, search))
    found = log.write(store.folder, prepared, search)
    print_search(console(), prepared, search, found)
    if found is None:
        raise typer.Exit(EXIT_FAILED)
