"""The choices that a suite's trials combine: its datasets and its methods, with all options and parameters resolved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pybench import registry
from pybench.planning import strict_yaml
from pybench.planning.overrides import Overrides
from pybench.planning.strict_yaml import Document
from pybench.planning.suite import DatasetEntry, MethodEntry, Profile, Suite
from pybench.planning.trial_list import DatasetChoice, MethodChoice
from pybench.spec import RtoOptions
from pybench.types import Dataset, InputError, Method, MethodParams

STANDIN = "_standin"  # ending of the name of a dataset's procedural stand-in


@dataclass(frozen=True)
class Resolution:
    """What the entries of a suite are resolved with: its file, the profile by name and content, and the overrides."""

    document: Document
    profile: str
    changes: Profile
    overrides: Overrides


def method_choices(
    suite: Suite, seeds: tuple[int, ...], resolution: Resolution
) -> tuple[tuple[MethodChoice, ...], dict[str, set[str]]]:
    """The methods of a suite, one choice for each combination of parameters in their grids.

    Returns:
        The choices, each with the seeds that it is run with (one, where the seed changes nothing); and the weights that
        ``weights: auto`` stands for on this machine, in words, with the methods that use them.

    Raises:
        InputError: an unknown parameter or a value that it cannot have; with file, line and key.
    """
    choices: list[MethodChoice] = []
    automatic: dict[str, set[str]] = {}
    for index, entry in enumerate(suite.methods):
        cls: type[Method] = registry.load("method", entry.name)
        for params, weights in _combinations(entry, index, resolution):
            own_seeds = seeds if cls.is_stochastic(params) else seeds[:1]
            choices.append(MethodChoice(entry.name, entry.label, params.model_dump(mode="json"), own_seeds))
            if weights:
                automatic.setdefault(weights, set()).add(entry.name)
    return tuple(choices), automatic


def dataset_choices(suite: Suite, data_root: Path | None, resolution: Resolution) -> tuple[DatasetChoice, ...]:
    """The datasets of a suite. Without a data root, a dataset is replaced by its procedural stand-in, if it has one.

    Raises:
        InputError: a wrong option, or a dataset without a stand-in that needs a data root.
    """
    choices = []
    for index, entry in enumerate(suite.datasets):
        name, options = _dataset(entry, index, data_root, resolution)
        rto = resolution.overrides.section("rto", RtoOptions, entry.rto.model_dump()) if entry.rto else None
        of_profile = resolution.changes.categories.get(entry.name)
        known = entry.categories or registry.load("dataset", name).info.categories
        categories = tuple(category for category in known if of_profile is None or category in of_profile)
        choices.append(DatasetChoice(name, categories, options, rto))
    return tuple(choices)


def _dataset(
    entry: DatasetEntry, index: int, data_root: Path | None, resolution: Resolution
) -> tuple[str, dict[str, Any]]:
    """The name of the dataset, or of its stand-in, and its resolved options."""
    overrides, standin = resolution.overrides, entry.name + STANDIN
    if data_root is None and standin in registry.names("dataset"):
        model = registry.load("dataset", standin).Options
        options = overrides.section(standin, model, {**entry.options, **resolution.changes.standin})
        return standin, options.model_dump(mode="json")
    cls: type[Dataset] = registry.load("dataset", entry.name)
    cls.locate(data_root)
    strict_yaml.fill(cls.Options, entry.options, resolution.document, ("datasets", index, "options"))
    return entry.name, overrides.section(entry.name, cls.Options, entry.options).model_dump(mode="json")


def _combinations(entry: MethodEntry, index: int, resolution: Resolution) -> Iterator[tuple[MethodParams, str]]:
    """Every combination of a method's parameters, and in words what was chosen for this machine.

    A value of the profile or the user replaces the list of a grid.
    """
    cls: type[Method] = registry.load("method", entry.name)
    of_profile = resolution.changes.methods.get(entry.name, {})
    of_user = resolution.overrides.method(entry.name, cls.Params)
    grid = {key: values for key, values in entry.grid.items() if key not in of_profile and key not in of_user}
    for values in itertools.product(*grid.values()):
        params = {**entry.params, **dict(zip(grid, values, strict=True)), **of_profile, **of_user}
        try:
            yield cls.resolve(strict_yaml.validate(cls.Params, params))
        except ValidationError as error:
            places = _places(entry, index, resolution)
            places |= {key: f"--set {entry.name}.{key}" for key in of_user}
            whole_entry = resolution.document.where(("methods", index))
            lines = [
                f"{places.get(str(path[0]) if path else '', whole_entry)}: {problem}"
                for path, problem in strict_yaml.problems(error, cls.Params)
            ]
            raise InputError("\n".join(lines)) from error


def _places(entry: MethodEntry, index: int, resolution: Resolution) -> dict[str, str]:
    """Where in the suite's file the value of each parameter of a method comes from."""
    paths: dict[str, strict_yaml.KeyPath] = {
        **{key: ("methods", index, "params", key) for key in entry.params},
        **{key: ("methods", index, "grid", key) for key in entry.grid},
        **{
            key: ("profiles", resolution.profile, "methods", entry.name, key)
            for key in resolution.changes.methods.get(entry.name, {})
        },
    }
    return {key: resolution.document.where(path) for key, path in paths.items()}
