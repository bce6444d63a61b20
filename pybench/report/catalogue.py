"""What there is to run: methods, datasets, metrics and suites, and whether each can be used here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pybench import registry
from pybench.report.names import differing
from pybench.spec import TrialSpec
from pybench.types import Dataset, InputError, Method, Metric


def methods() -> list[dict[str, Any]]:
    """name, status (ok, unavailable or broken), reason and paper of every method, with its default parameters."""
    return [_method(name) for name in registry.names("method")]


def datasets(data_root: Path | None) -> list[dict[str, Any]]:
    """name, title, number of categories, licence, and where the data was found below the data root."""
    return [_described("dataset", name, lambda cls: _dataset(cls, data_root)) for name in registry.names("dataset")]


def metrics() -> list[dict[str, Any]]:
    """name, level, which way is better, and description of every metric."""
    return [_described("metric", name, _metric) for name in registry.names("metric")]


def suites() -> list[dict[str, Any]]:
    """name, title, datasets, methods and profiles of the suites that come with pybench."""
    from pybench.planning.suite import load_suite, suite_names

    rows = []
    for name in suite_names():
        suite, _ = load_suite(name)
        rows.append(
            {
                "name": name,
                "title": suite.title,
                "datasets": list(dict.fromkeys(entry.name for entry in suite.datasets)),
                "methods": list(dict.fromkeys(entry.name for entry in suite.methods)),
                "profiles": list(dict.fromkeys(["paper", *suite.profiles])),
            }
        )
    return rows


def trials(specs: Sequence[TrialSpec]) -> list[dict[str, Any]]:
    """One row per trial: number, key, what is run, the parameters that differ within its method, seeds."""
    differ: dict[str, list[str]] = {}
    for method in {spec.method for spec in specs}:
        differ[method] = differing([spec.params for spec in specs if spec.method == method])
    is_labelled = any(spec.label for spec in specs)
    return [
        {
            "#": number,
            "key": spec.key(),
            "dataset": spec.dataset,
            "category": spec.category,
            "method": spec.method,
            **({"label": spec.label} if is_labelled else {}),
            "params": " ".join(f"{name}={spec.params[name]}" for name in differ[spec.method]),
            "seed": spec.seed,
            "data seed": spec.data_seed,
        }
        for number, spec in enumerate(specs, start=1)
    ]


def _method(name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "status": "ok", "reason": "", "paper": None}
    try:
        cls: type[Method] = registry.load("method", name)
        row["paper"] = f"{cls.paper}, {cls.paper.reference}" if cls.paper.reference else str(cls.paper)
        # A method that has no defaults cannot be asked: whether it runs depends on what a suite says.
        is_complete = not any(field.is_required() for field in cls.Params.model_fields.values())
        reasons = cls.unsupported(cls.Params(), _device()) if is_complete else []
    except (InputError, AttributeError) as error:
        return row | {"status": "broken", "reason": str(error)}
    return row | {"status": "unavailable", "reason": "; ".join(reasons)} if reasons else row


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _dataset(cls: type[Dataset], data_root: Path | None) -> dict[str, Any]:
    return {
        "title": cls.info.title,
        "categories": len(cls.info.categories) or "the user's",
        "licence": cls.info.licence,
        "found": _found(cls, data_root),
    }


def _found(cls: type[Dataset], data_root: Path | None) -> str:
    if cls.generated:
        return "drawn on first use"
    if not cls.info.categories:
        return "as its options say"
    try:
        folder = cls.locate(data_root)
    except InputError:
        return "no data root given"
    return str(folder) if folder.is_dir() else f"not found: {folder}"


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "level": metric.level,
        "better": "higher" if metric.higher_is_better else "lower",
        "description": metric.description,
    }


def _described(kind: registry.Kind, name: str, describe: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """A plug-in that cannot be loaded is listed too, as broken, with the reason."""
    try:
        return {"name": name, "status": "ok", "reason": "", **describe(registry.load(kind, name))}
    except InputError as error:
        return {"name": name, "status": "broken", "reason": str(error)}
