"""The command ``pybench submit``: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pybench.cli.errors import interruptible
from pybench.cli.options import DataRoot, PluginsOption, RunFilter, RunName, add_plugins, pairs, writable
from pybench.cli.output import console, print_notes, print_place

EXAMPLES = (
    "pybench submit mvtec_ad_2 --to maps --data-root ~/data --filter method=patchcore",
    "pybench submit mvtec_ad_2 --to maps --data-root ~/data --filter method=padim --thresholded",
)


def submit(
    run: RunName,
    to: Annotated[Path, typer.Option(metavar="DIR", help="An empty or new folder; it holds one method's maps.")],
    thresholded: Annotated[
        bool,
        typer.Option(
            "--thresholded", help="Write maps of 0 and 255, too: above 3 standard deviations of normal pixels."
        ),
    ] = False,
    filter: RunFilter = None,
    data_root: DataRoot = None,
    plugins: PluginsOption = None,
) -> None:
    """Write a method's score maps of MVTec AD 2's private images, for the owners' evaluation server.

    The method is fitted again on each category of the run. Exit codes: 0 written, 2 unusable input, 130 interrupted.
    """
    add_plugins(plugins)
    from pybench.datasets.mvtec_ad_2 import MvtecAd2
    from pybench.results.store import find_runs
    from pybench.run.submission import plan_submission, write_submission
    from pybench.types import InputError

    runs = find_runs(run)
    if len(runs) > 1:
        raise InputError(f"{run}: holds {len(runs)} runs; name one: {', '.join(str(store.folder) for store in runs)}")
    plan = plan_submission(runs[0], pairs("--filter", filter), data_root)
    folder = writable(to)
    if any(folder.iterdir()):
        raise InputError(f"{folder}: not empty; give a new folder")
    messages = console(stderr=True)

    def written(category: str, maps: int) -> None:
        print_notes(messages, [f"{category}: {maps} maps"])

    with interruptible(f"the maps in {folder} are not complete; remove it and start again"):
        write_submission(plan, runs[0], folder, thresholded=thresholded, written=written)
    there = {spec.category for spec in plan.specs}
    missing = [category for category in MvtecAd2.info.categories if category not in there]
    if missing:
        print_notes(messages, [f"the server takes all categories together; not in this run: {', '.join(missing)}"])
    print_place(messages, "maps", folder)
