"""From the options that run, tune and latency share to a suite, its plan, and an executor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import typer

from pybench.cli.options import ExecutorName, ProfileName, pairs

if TYPE_CHECKING:
    from pybench.executors import Executor
    from pybench.executors.lazy import LazyExecutor
    from pybench.planning.plan import Plan


class PlanOptions(TypedDict):
    """Keyword arguments of ``pybench.planning.plan.plan``."""

    profile: str | None
    filters: dict[str, str]
    overrides: dict[str, str]
    data_root: Path | None


def plan_options(
    profile: ProfileName | None, filter: list[str] | None, set: list[str] | None, data_root: Path | None
) -> PlanOptions:
    """The options as they are given on the command line.

    Raises:
        InputError: ``--filter`` or ``--set`` without ``=``, or given twice for one key.
    """
    return {
        "profile": profile.value if profile else None,
        "filters": pairs("--filter", filter),
        "overrides": pairs("--set", set),
        "data_root": data_root,
    }


def plan_suite(suite: str, datasets: list[str] | None, options: PlanOptions) -> Plan:
    """The plan of a suite, on other datasets if any are given.

    Raises:
        InputError: the suite, a dataset or an option cannot be used.
    """
    from pybench.planning.plan import plan
    from pybench.planning.suite import load_suite, on_other_datasets

    loaded, document = load_suite(suite)
    return plan(on_other_datasets(loaded, datasets) if datasets else loaded, document, **options)


def check_address(name: ExecutorName, address: str | None) -> None:
    """Refuse an address for an executor that has none.

    Raises:
        typer.BadParameter: there is one.
    """
    if address is not None and name is not ExecutorName.ray:
        raise typer.BadParameter(f"--address needs --executor ray, not {name.value}")


def new_executor(name: ExecutorName, address: str | None) -> LazyExecutor:
    """The executor, which starts with its first job."""
    from pybench.executors.lazy import LazyExecutor

    def make() -> Executor:
        if name is ExecutorName.inline:
            from pybench.executors.inline import InlineExecutor

            return InlineExecutor()
        from pybench.executors.ray import RayExecutor

        return RayExecutor(address)

    return LazyExecutor(make)
