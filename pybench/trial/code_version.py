"""A hash of the sources that a trial's result depends on: a record made by other code is not taken for this one's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pybench import registry
from pybench.disk.source_hash import Modules, installed_modules, source_hash, sources_of
from pybench.spec import TrialSpec

ENTRY = "pybench.trial.run_trial"
# Imported by every trial, run by those on a validation set only.
VALIDATION = "pybench.trial.validation"


def code_version(spec: TrialSpec) -> str:
    """16 hex digits over all that a trial runs, as this process has loaded it.

    That is ``trial/run_trial.py``, the spec's method, dataset and metrics, and everything that these import, native
    modules included. What a trial does not import does not count: the CLI, planning, executors, the store, searches,
    reports and the measurement of latency do not change its result.
    """
    metrics = (registry.source("metric", name) for name in spec.metrics)
    plugins = {registry.source("method", spec.method), registry.source("dataset", spec.dataset), *metrics}
    return _version(frozenset(plugins), spec.evaluate_on == "validation", spec.resources.device)


def trial_sources(
    plugins: Iterable[Path], modules: Modules, *, on_validation: bool = False, device: str = "cpu"
) -> frozenset[Path]:
    """The files that a trial with these plug-ins runs; ``modules`` are those of pybench by name."""
    unused = {"pybench._cuda"} if device == "cpu" else set()
    unused |= set() if on_validation else {VALIDATION}
    used = {name: file for name, file in modules.items() if name not in unused}
    return sources_of([used[ENTRY], *plugins], used)


@cache
def _version(plugins: frozenset[Path], on_validation: bool, device: str) -> str:
    files = trial_sources(plugins, installed_modules(), on_validation=on_validation, device=device)
    return source_hash(files)
