"""From a suite to the trials of a run: profile, overrides, filters, grids and seeds are all resolved here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pybench import registry
from pybench.planning.choices import Resolution, dataset_choices, method_choices
from pybench.planning.overrides import Overrides
from pybench.planning.strict_yaml import Document
from pybench.planning.suite import LatencyProtocol, Profile, ResourcesRequest, Suite, TrialLimits
from pybench.planning.trial_list import SpecList, Specs
from pybench.registry import unknown
from pybench.spec import Protocol, Resources
from pybench.types import InputError


@dataclass(frozen=True)
class Plan:
    """What a run will do. ``notes`` tell the user what was chosen for them."""

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
        suite: the suite.
        document: the file that it comes from, which errors name.
        profile: ``paper``, ``quick`` or ``smoke``. None takes ``paper`` if there are a GPU and a data root,
            else ``quick`` if the suite has it.
        filters: key -> comma-separated values to keep; keys are dataset, category, method, seed, data_seed.
        overrides: dotted key -> YAML value, which replaces any other: ``params.NAME`` (every method that has it),
            ``METHOD.NAME``, ``protocol.NAME``, ``resources.NAME``, ``limits.NAME``, ``latency.NAME``
            (``latency`` itself may be null), ``rto.NAME``, ``DATASET.OPTION``, ``seeds`` and ``data_seeds``.
        data_root: folder that holds one folder per dataset; None lets ``mvtec_*`` suites use the procedural stand-in.

    Raises:
        InputError: a name, key or value that cannot be used, or nothing left to run.
    """
    has_gpu = _has_gpu()
    profile, profile_notes = _profile_name(suite, profile, has_gpu and data_root is not None)
    changes = _profile(suite, profile)
    settings = Overrides(overrides or {})
    protocol = settings.section("protocol", Protocol, {**suite.protocol.model_dump(), **changes.protocol})
    resources = _resources(settings.section("resources", ResourcesRequest, suite.resources.model_dump()), has_gpu)
    limits = settings.section("limits", TrialLimits, suite.limits.model_dump())
    seeds = settings.seeds("seeds", changes.seeds or suite.seeds)
    data_seeds = settings.seeds("data_seeds", suite.data_seeds)
    resolution = Resolution(document, profile, changes, settings)
    methods, automatic_weights = method_choices(suite, seeds, resolution)
    datasets = dataset_choices(suite, data_root, resolution)
    latency = _latency(suite, changes, settings)
    settings.refuse_unused()
    metrics = suite.metrics or tuple(registry.names("metric"))
    specs = Specs(suite.name, profile, metrics, protocol, resources, datasets, data_seeds, methods)
    specs = specs.filtered(filters or {})
    standin_notes = _standin_notes([entry.name for entry in suite.datasets], [choice.name for choice in datasets])
    notes = (*profile_notes, *standin_notes, *_weights_notes(specs, automatic_weights))
    return Plan(suite.name, suite.title, profile, specs, latency, limits, data_root, notes)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _profile_name(suite: Suite, asked_for: str | None, is_equipped: bool) -> tuple[str, list[str]]:
    """The profile of a run, and a note if the user named none. ``is_equipped``: there are a GPU and a data root."""
    if asked_for is not None:
        return asked_for, []
    if is_equipped:
        name, why = "paper", "a GPU and a data root are there"
    elif "quick" not in suite.profiles:
        name, why = "paper", "the suite has no quick one"
    else:
        name, why = "quick", "paper needs a GPU and a data root"
    return name, [f"profile: {name} ({why}; --profile chooses)"]


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
    # One thread a trial finishes a suite soonest on CPUs. On a GPU, a trial has the CPU cores of its node to itself.
    threads = request.threads
    if threads == "auto":
        threads = max(1, (os.cpu_count() or 1) // 2) if device == "cuda" else 1
    return Resources(device=device, threads=threads, backend=request.backend)


def _latency(suite: Suite, changes: Profile, settings: Overrides) -> LatencyProtocol | None:
    """How latency is measured; None where the suite or the user leaves it out."""
    latency = None if settings.leaves_out("latency") else changes.latency or suite.latency
    return None if latency is None else settings.section("latency", LatencyProtocol, latency.model_dump())


def _standin_notes(asked_for: list[str], used: list[str]) -> list[str]:
    return [
        f"data: no data root given, so {name} is replaced by the procedural stand-in {other} "
        "(--data-root DIR for the real one)"
        for name, other in zip(asked_for, used, strict=True)
        if name != other
    ]


def _weights_notes(specs: Specs, automatic: dict[str, set[str]]) -> list[str]:
    """Which weights ``auto`` stands for, and which methods have random ones. ``automatic``: weights -> methods."""
    notes = []
    one_each = specs.of_each_method()
    for weights, names in automatic.items():
        methods = sorted(names & {spec.method for spec in one_each})
        if methods:
            notes.append(f"weights: auto took {weights} (for {', '.join(methods)})")
    untrained = sorted({spec.method for spec in one_each if spec.params.get("weights") == "random"})
    if untrained:
        notes.append(
            f"weights: random for {', '.join(untrained)} (untrained features: compare methods, not published numbers)"
        )
    return notes
