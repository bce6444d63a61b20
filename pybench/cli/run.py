"""The command ``pybench run``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    SuiteName,
    add_plugins,
    writable,
)
from pybench.cli.output import console, print_notes, print_place
from pybench.cli.planning import check_address, new_executor, plan_options, plan_suite

EXAMPLES = (
    "pybench run mvtec_rto --dry-run                         # list the trials and their keys, run nothing",
    "pybench run mvtec_rto --filter category=bottle,cable --filter method=padim",
    "pybench run mvtec_ad --data-root ~/data --set params.backbone=resnet18 --set seeds=[0,1,2]",
    "pybench run my_suite.yaml --plugins ./mine --executor inline --force",
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
    plugins: PluginsOption = None,
) -> None:
    """Run a suite; finished trials are kept, so the same command goes on where it was stopped.

    Exit codes: 0 all trials ended well, 1 a trial or a latency failed, 2 unusable input, 130 interrupted.
    """
    options = plan_options(profile, filter, set, data_root)
    check_address(executor, address)
    add_plugins(plugins)
    plan = plan_suite(suite, dataset, options)
    messages = console(stderr=True)
    print_notes(messages, plan.notes)
    if dry_run:
        from pybench.report.catalogue import trials
        from pybench.report.listing import print_rows

        print_rows(console(), trials(plan.specs))
        return

    from pybench.report.progress import RunProgress
    from pybench.report.table import print_results
    from pybench.results.store import Store
    from pybench.run import run_plan

    store = Store(writable(out / plan.suite))
    with (
        interruptible(f"finished trials are kept in {store.folder}, and the same command goes on from there"),
        RunProgress(plan.specs, messages, store.progress_folders) as progress,
        new_executor(executor, address) as lazy,
    ):
        results = run_plan.run(plan, store, lazy, force=force, listener=progress)
    print_results(console(), results)
    print_place(messages, "records", store.folder)
    if any(result.has_failed for result in results):
        raise typer.Exit(EXIT_FAILED)
