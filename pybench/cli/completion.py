"""Names that a shell completes: suites, methods, datasets, metrics and runs, without importing any of them.

Each function takes the context of the command so far and returns the names to choose from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybench.registry import Kind


def suites(incomplete: str) -> list[str]:
    """The suites that come with pybench. A shell completes files by itself where there is no such name."""
    from pybench.planning.suite import suite_names

    return _starting(suite_names(), incomplete)


def methods(ctx: typer.Context, incomplete: str) -> list[str]:
    """The methods, those of ``--plugins`` included."""
    return _starting(_names(ctx, "method"), incomplete)


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The datasets, those of ``--plugins`` included."""
    return _starting(_names(ctx, "dataset"), incomplete)


def metrics(ctx: typer.Context, incomplete: str) -> list[str]:
    """The metrics, those of ``--plugins`` included."""
    return _starting(_names(ctx, "metric"), incomplete)


def runs(incomplete: str) -> list[str]:
    """The names below ``results``."""
    folder = Path("results")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return _starting(names, incomplete)


def suites_and_runs(incomplete: str) -> list[str]:
    """Both, each name once."""
    return list(dict.fromkeys([*suites(incomplete), *runs(incomplete)]))


def _names(ctx: typer.Context, kind: Kind) -> list[str]:
    from pybench import registry
    from pybench.types import InputError

    folder = ctx.params.get("plugins")
    if folder is not None:
        try:
            registry.add_plugins(Path(folder))
        except InputError:
            return []
    return registry.names(kind)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
