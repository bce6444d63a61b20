"""From a suite to trials: profile, overrides, filters, grids and seeds, all resolved before a trial's key is made."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pybench import registry
from pybench.planning import strict_yaml
from pybench.planning.strict_yaml import Document
from pybench.planning.suite import (
    DatasetEntry,
    LatencyProtocol,
    MethodEntry,
    Profile,
    ResourcesRequest,
    Suite,
    TrialLimits,
)
from pybench.planning.trial_list import DatasetChoice, MethodChoice, SpecList, Specs
from pybench.records import Protocol, Resources, RtoOptions
from pybench.registry import unknown
from pybench.types import Dataset, InputError, Method, MethodParams

_STANDIN = "_standin"


@dataclass(frozen=True)
class Plan:
    """What a run is going to do. ``notes`` are for the user's eyes: what was chosen for them."""

    suite: str
    title: str
    profile: str
    specs: Specs | SpecList
    latency: LatencyProtocol | None
    limits: TrialLimits
    data_root: Path | None
    notes: tuple[str, ...]


def plan(
    suite: Suite,
    document: Document,
    *,
    profile: str | None = None,
    filters: dict[str, str] | None = None,
    overrides: dict[str, str] | None = None,
    data_root: Path | None = None,
) -> Plan:
    """Expand a suite into trials, category by category, so that the rows of the result table fill one after another.

    Args:
        profile: ``paper``, ``quick`` or ``smoke``; None takes ``paper`` where a GPU and a data root are,
            else ``quick`` where the suite has it.
        filters: key -> comma-separated values to keep; keys are dataset, category, method, seed, data_seed.
        overrides: dotted key -> YAML value, the last word on ``params.NAME`` (every method that has it),
            ``METHOD.NAME``, ``protocol.NAME``, ``resources.NAME``, ``limits.NAME``, ``latency.NAME``
            (``latency`` itself may be null), ``rto.NAME``, ``DATASET.OPTION``, ``seeds`` and ``data_seeds``.
        data_root: folder that holds one folder per dataset; None lets ``mvtec_*`` suites use the procedural stand-in.

    Raises:
        InputError: a name, key or value that cannot be used, or nothing left to run.
    """
    notes: list[str] = []
    has_gpu = _has_gpu()
    if profile is None:
        profile, why = _default_profile(suite, has_gpu and data_root is not None)
        notes.append(f"profile: {profile} ({why}; --profile chooses)")
    changes = _profile(suite, profile)
    settings = _Overrides(overrides or {})
    protocol = settings.section("protocol", Protocol, {**suite.protocol.model_dump(), **changes.protocol})
    resources = _resources(settings.section("resources", ResourcesRequest, suite.resources.model_dump()), has_gpu)
    limits = settings.section("limits", TrialLimits, suite.limits.model_dump())
    seeds = settings.seeds("seeds", changes.seeds or suite.seeds)
    data_seeds = settings.seeds("data_seeds", suite.data_seeds)
    methods = []
    choices: dict[str, set[str]] = {}
    for index, method in enumerate(suite.methods):
        cls: type[Method] = registry.load("method", method.name)
        for params, choice in _grid(method, index, changes, profile, settings, document):
            of_method = seeds if cls.is_stochastic(params) else seeds[:1]
            methods.append(MethodChoice(method.name, method.label, params.model_dump(mode="json"), of_method))
            if choice:
                choices.setdefault(choice, set()).add(method.name)
    datasets = []
    for index, entry in enumerate(suite.datasets):
        name, options = _dataset(entry, index, changes, settings, document, data_root)
        if name != entry.name:
            notes.append(
                f"data: no data root given, so {entry.name} is replaced by the procedural stand-in {name} "
                "(--data-root DIR for the real one)"
            )
        rto = settings.section("rto", RtoOptions, entry.rto.model_dump()) if entry.rto else None
        kept = changes.categories.get(entry.name)
        known = entry.categories or registry.load("dataset", name).info.categories
        categories = tuple(category for category in known if kept is None or category in kept)
        datasets.append(DatasetChoice(name, categories, options, rto))
    latency = None if settings.leaves_out("latency") else changes.latency or suite.latency
    if latency is not None:
        latency = settings.section("latency", LatencyProtocol, latency.model_dump())
    settings.refuse_unused()
    metrics = suite.metrics or tuple(registry.names("metric"))
    specs = Specs(
        suite.name, profile, metrics, protocol, resources, tuple(datasets), data_seeds, tuple(methods)
    ).filtered(filters or {})
    of_each = specs.of_each_method()
    for choice, names in choices.items():
        for_methods = sorted(names & {spec.method for spec in of_each})
        if for_methods:
            notes.append(f"weights: auto took {choice} (for {', '.join(for_methods)})")
    untrained = sorted({spec.method for spec in of_each if spec.params.get("weights") == "random"})
    if untrained:
        notes.append(
            f"weights: random for {', '.join(untrained)} (untrained features: compare methods, not published numbers)"
        )
    return Plan(suite.name, suite.title, profile, specs, latency, limits, data_root, tuple(notes))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _default_profile(suite: Suite, has_means: bool) -> tuple[str, str]:
    """The profile of a run that names none, and why."""
    if has_means:
        return "paper", "a GPU and a data root are there"
    if "quick" not in suite.profiles:
        return "paper", "the suite has no quick one"
    return "quick", "paper needs a GPU and a data root"


def _profile(suite: Suite, name: str) -> Profile:
    known = ["paper", *(profile for profile in suite.profiles if profile != "paper")]
    if name not in known:
        raise InputError(f"suite {suite.name}: {unknown('profile', name, known)}")
    return next((changes for profile, changes in suite.profiles.items() if profile == name), Profile())


def _resources(request: ResourcesRequest, has_gpu: bool) -> Resources:
    device = ("cuda" if has_gpu else "cpu") if request.device == "auto" else request.device
    if device == "cuda" and not has_gpu:
        raise InputError(
            "resources.device: cuda was asked for, but torch sees no GPU here (`pybench doctor` says more)"
        )
    # One thread a trial finishes a suite soonest on CPUs; on a GPU the trial's CPU work shares the node with nobody.
    threads = (
        (max(1, (os.cpu_count() or 1) // 2) if device == "cuda" else 1)
        if request.threads == "auto"
        else request.threads
    )
    return Resources(device=device, threads=threads, backend=request.backend)


def _dataset(
    entry: DatasetEntry, index: int, changes: Profile, settings: _Overrides, document: Document, data_root: Path | None
) -> tuple[str, dict[str, Any]]:
    """The dataset's name, a stand-in's where there is one and no data root was given, and its resolved options."""
    standin = entry.name + _STANDIN
    if data_root is None and standin in registry.names("dataset"):
        options = settings.section(
            standin, registry.load("dataset", standin).Options, {**entry.options, **changes.standin}
        )
        return standin, options.model_dump(mode="json")
    cls: type[Dataset] = registry.load("dataset", entry.name)
    cls.locate(data_root)
    model = cls.Options
    strict_yaml.fill(model, entry.options, document, ("datasets", index, "options"))
    return entry.name, settings.section(entry.name, model, entry.options).model_dump(mode="json")


def _grid(
    entry: MethodEntry, index: int, changes: Profile, profile: str, settings: _Overrides, document: Document
) -> Iterator[tuple[MethodParams, str]]:
    """Every combination of a method's parameters, with what was chosen for this machine in words.

    A profile's and the user's values replace a grid's list.
    """
    cls: type[Method] = registry.load("method", entry.name)
    model = cls.Params
    of_profile = changes.methods.get(entry.name, {})
    of_user = settings.method(entry.name, model)
    origin: dict[str, strict_yaml.KeyPath] = {
        **{key: ("methods", index, "params", key) for key in entry.params},
        **{key: ("methods", index, "grid", key) for key in entry.grid},
        **{key: ("profiles", profile, "methods", entry.name, key) for key in of_profile},
    }
    grid = {key: values for key, values in entry.grid.items() if key not in of_profile and key not in of_user}
    for values in itertools.product(*grid.values()):
        params = {**entry.params, **dict(zip(grid, values, strict=True)), **of_profile, **of_user}
        try:
            yield cls.resolve(strict_yaml.validate(model, params))
        except ValidationError as error:
            lines = []
            for path, problem in strict_yaml.problems(error, model):
                key = str(path[0]) if path else ""
                place = (
                    f"--set {entry.name}.{key}"
                    if key in of_user
                    else document.where(origin.get(key, ("methods", index)))
                )
                lines.append(f"{place}: {problem}")
            raise InputError("\n".join(lines)) from error


class _Overrides:
    """The ``--set`` values, handed out by section; what nobody asks for is an error."""

    def __init__(self, given: dict[str, str]) -> None:
        self.values = {key: strict_yaml.scalar(text) for key, text in given.items()}
        self.used: set[str] = set()
        self.known: set[str] = {"seeds", "data_seeds"}

    def section(self, name: str, model: type[strict_yaml.Model], content: dict[str, Any]) -> strict_yaml.Model:
        """``content`` with the values of ``name.KEY`` put over it."""
        self.known.update(f"{name}.{field}" for field in model.model_fields)
        own = self._take(name)
        try:
            return strict_yaml.validate(model, {**content, **own})
        except ValidationError as error:
            raise InputError(
                "\n".join(
                    f"{name}.{strict_yaml.spelt(path)}: {text}" for path, text in strict_yaml.problems(error, model)
                )
            ) from error

    def method(self, name: str, model: type[BaseModel]) -> dict[str, Any]:
        """Values of ``params.KEY`` that this method has, and of ``NAME.KEY``."""
        self.known.update(f"{prefix}.{field}" for field in model.model_fields for prefix in ("params", name))
        shared = {key: value for key, value in self._of("params").items() if key in model.model_fields}
        self.used.update(f"params.{key}" for key in shared)
        return {**shared, **self._take(name)}

    def seeds(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """A list of seeds, or the suite's own."""
        if name not in self.values:
            return default
        self.used.add(name)
        value = self.values[name]
        seeds = value if isinstance(value, list) else [value]
        if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
            raise InputError(f"--set {name}={value}: expected a whole number or a list of them, as in {name}=[0,1,2]")
        return tuple(seeds)

    def leaves_out(self, name: str) -> bool:
        """Whether a whole section is set to null."""
        self.known.add(name)
        if name not in self.values:
            return False
        self.used.add(name)
        if self.values[name] is not None:
            raise InputError(
                f"--set {name}={self.values[name]}: expected null, which leaves it out, or {name}.KEY=VALUE"
            )
        return True

    def refuse_unused(self) -> None:
        """Raise for the first key that nothing asked for."""
        for key in self.values:
            if key not in self.used:
                raise InputError(f"--set {key}: {unknown('key', key, sorted(self.known))}")

    def _of(self, prefix: str) -> dict[str, Any]:
        start = f"{prefix}."
        return {key.removeprefix(start): value for key, value in self.values.items() if key.startswith(start)}

    def _take(self, prefix: str) -> dict[str, Any]:
        own = self._of(prefix)
        self.used.update(f"{prefix}.{key}" for key in own)
        return own
