"""Finds methods, datasets and metrics by name, and imports a file only when its name is asked for.

A plug-in is one file whose stem is its name. Files are looked for in the folders given to ``add_plugins``, in order,
then among the installed entry points (groups ``pybench.methods``, ``pybench.datasets``, ``pybench.metrics``), then in
pybench itself; the first file found is taken.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pybench.public import HOME
from pybench.types import Dataset, InputError, Method, Metric

Kind = Literal["method", "dataset", "metric"]

# Modules that plug-ins imported before pybench's files were sorted into rooms, and where they lie now.
MOVED = {
    "pybench.features": "pybench.backbones.method",
    "pybench.geometry": "pybench.images.geometry",
    "pybench.learning_rate": "pybench.training.learning_rate",
    "pybench.losses": "pybench.training.losses",
    "pybench.maps": "pybench.images.score_maps",
    "pybench.store": "pybench.results.store",
    "pybench.synthesis": "pybench.training.synthesis",
    "pybench.textures": "pybench.training.procedural_textures",
    "pybench.varied_defects": "pybench.training.varied_defects",
}

_plugin_folders: list[Path] = []
_NAMES_SHOWN = 25  # of those that a message lists


def add_plugins(folder: Path) -> None:
    """Look for plug-ins also in ``folder``/methods, ``folder``/datasets and ``folder``/metrics.

    Raises:
        InputError: none of these three folders exists.
    """
    folder = folder.resolve()
    if not any((folder / f"{kind}s").is_dir() for kind in ("method", "dataset", "metric")):
        raise InputError(
            f"{folder}: no plug-ins here; expected a folder methods/, datasets/ or metrics/ with one file per plug-in"
        )
    if folder not in _plugin_folders:
        _plugin_folders.append(folder)


def plugin_folders() -> tuple[Path, ...]:
    """The folders given to ``add_plugins``, in order."""
    return tuple(_plugin_folders)


def names(kind: Kind) -> list[str]:
    """All names of a kind, sorted. No plug-in is imported."""
    plugged = {file.stem for folder in _plugin_folders for file in (folder / f"{kind}s").glob("*.py")}
    found = set(_packaged(kind)) | set(_entry_points(kind)) | plugged
    return sorted(name for name in found if not name.startswith("_"))


def load(kind: Kind, name: str) -> Any:
    """The class of a method or dataset, or a metric, by its name.

    Raises:
        InputError: no such name (the nearest known one is named), or its file cannot be imported or does not keep to
            the rule of one plug-in per file.
    """
    return _load(kind, name, plugin_folders())


@cache
def _load(kind: Kind, name: str, folders: tuple[Path, ...]) -> Any:
    """See ``load``. Cached, because every trial asks several times; ``folders`` are those that were added so far."""
    if name not in names(kind):
        raise InputError(unknown(kind, name, names(kind)))
    try:
        module = _import(kind, name)
    except Exception as error:  # a user's file may raise anything when it is imported
        raise InputError(f"{kind} '{name}' cannot be imported: {_why(error)}") from error
    return _one_plugin(kind, name, module)


def _why(error: Exception) -> str:
    """Why a plug-in cannot be imported, in one line. If a module of pybench has moved, the line names its new place."""
    asked = re.search(r"No module named '([\w.]+)'|cannot import name '(\w+)' from '(pybench[\w.]*)'", str(error))
    if asked:
        module, name = asked[1] or f"{asked[3]}.{asked[2]}", asked[2]
        hint = "what a plug-in needs is also in one place: from pybench import Method, Prediction, Geometry, ..."
        if module in MOVED:
            return f"{module} is now {MOVED[module]}; {hint}"
        if name in HOME:
            return f"'{name}' is not in {asked[3]}; write: from pybench import {name}"
    return f"{type(error).__name__}: {error}"


def source(kind: Kind, name: str) -> Path:
    """The file that a plug-in comes from; imports it where that was not done yet."""
    file = _import(kind, name).__file__
    assert file is not None, "a plug-in is always a file"
    return Path(file)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name. It names the most similar known name, or the first ones if none is similar."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    more = len(known) - _NAMES_SHOWN
    listed = ", ".join(known[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    hint = f"did you mean '{near[0]}'?" if near else f"known: {listed or 'none'}"
    return f"unknown {what} '{name}'; {hint}"


def _packaged(kind: Kind) -> list[str]:
    package = importlib.import_module(f"pybench.{kind}s")
    return [module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]


@cache
def _entry_points(kind: Kind) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=f"pybench.{kind}s")}


def _import(kind: Kind, name: str) -> ModuleType:
    for folder in _plugin_folders:
        file = folder / f"{kind}s" / f"{name}.py"
        if file.is_file():
            return _import_file(f"pybench_plugins.{kind}s.{name}", file)
    if name in _entry_points(kind):
        return importlib.import_module(_entry_points(kind)[name].partition(":")[0])
    return importlib.import_module(f"pybench.{kind}s.{name}")


def _import_file(module_name: str, file: Path) -> ModuleType:
    loaded = sys.modules.get(module_name)
    if loaded is not None and loaded.__file__ == str(file):
        return loaded
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None, "a .py file always has a spec"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _one_plugin(kind: Kind, name: str, module: ModuleType) -> Any:
    if kind == "metric":
        metric = getattr(module, "METRIC", None)
        if not isinstance(metric, Metric) or metric.name != name:
            raise InputError(f"{module.__file__}: expected METRIC, a pybench.types.Metric named '{name}'")
        return metric
    base = Method if kind == "method" else Dataset
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    named = [cls for cls in classes if _name(cls) == name]
    if len(named) != 1:
        found = ", ".join(cls.__name__ for cls in classes) or "none"
        raise InputError(
            f"{module.__file__}: expected one {base.__name__} class named '{name}', as its file is; found: {found}"
        )
    return named[0]


def _name(cls: type) -> str | None:
    if issubclass(cls, Method):
        return getattr(cls, "name", None)
    info = getattr(cls, "info", None)
    return info.name if info is not None else None
