"""From a suite to a search: the trials of one method with its defaults, the space, and the search's own name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pybench import registry
from pybench.planning import strict_yaml
from pybench.planning.plan import Plan, plan
from pybench.planning.search_space import Space, declared_space, suite_space
from pybench.planning.suite import Suite
from pybench.planning.trial_list import SpecList
from pybench.registry import unknown
from pybench.spec import TrialSpec
from pybench.types import InputError, Method

_OF_FOLDS = {"overkill_rate", "escape_rate"}  # metrics that need normal images held out of the fit


@dataclass(frozen=True)
class Prepared:
    """``plan`` holds the trials of the defaults, on the data that the objective is measured on; its ``suite`` is the
    search's own name. ``name`` is the suite's, ``original`` one of its own trials."""

    name: str
    original: TrialSpec
    plan: Plan
    space: Space

    @property
    def is_oracle(self) -> bool:
        """Whether the objective is measured on the test set."""
        return self.plan.specs[0].evaluate_on == "oracle"


def prepare(
    suite: Suite,
    document: strict_yaml.Document,
    method: str,
    metrics: tuple[str, ...],
    *,
    oracle: bool,
    profile: str | None,
    filters: dict[str, str],
    overrides: dict[str, str],
    data_root: Path | None,
) -> Prepared:
    """Plan the trials of a suite's first entry of a method.

    The search is over the suite's ``search`` of that method, or else over what the method declares, without the
    parameters that ``overrides`` set.

    Args:
        metrics: the objectives.
        oracle: measure them on the test set.
        profile, filters, overrides, data_root: as for ``pybench.planning.plan.plan``.

    Raises:
        InputError: a name, key or value that cannot be used, or nothing to search.
    """
    index = _entry(suite, method)
    _check_metrics(metrics)
    if "method" in filters:
        raise InputError(f"--filter method={filters['method']}: --method says which one is searched")
    filters = {**filters, "method": method}
    planned = plan(suite, document, profile=profile, filters=filters, overrides=overrides, data_root=data_root)
    space = _space(suite, document, index, overrides)
    first, notes = planned.specs[0], planned.notes
    own = [spec for spec in planned.specs if (spec.label, spec.params) == (first.label, first.params)]
    if len(own) < len(planned.specs):
        named = f"{method} {first.label}".strip()
        notes = (*notes, f"method: the suite has several settings of {method}; the first is searched ({named})")
    name = f"{suite.name}_tune_{method}{'_oracle' if oracle else ''}"
    specs = SpecList(_on_objective(spec, name, metrics, oracle) for spec in own)
    return Prepared(suite.name, first, replace(planned, suite=name, specs=specs, notes=notes), space)


def _space(suite: Suite, document: strict_yaml.Document, index: int, overrides: dict[str, str]) -> Space:
    """The parameters to search of the suite's method at a position."""
    entry = suite.methods[index]
    cls: type[Method] = registry.load("method", entry.name)
    space = suite_space(entry.search, cls.Params, document, ("methods", index, "search")) or declared_space(cls.Params)
    is_set = {key.partition(".")[2] for key in overrides if key.partition(".")[0] in ("params", entry.name)}
    space = {name: part for name, part in space.items() if name not in is_set}
    if not space:
        raise InputError(
            f"{document.where(('methods', index))}: nothing to search of {entry.name}; name parameters in the suite, "
            "as in search: {NAME: {low: 1, high: 10}, OTHER: [a, b]}"
        )
    return space


def _on_objective(spec: TrialSpec, name: str, metrics: tuple[str, ...], oracle: bool) -> TrialSpec:
    """A trial of the suite as a trial of the search."""
    protocol = spec.protocol
    if not _OF_FOLDS & set(metrics):
        protocol = protocol.model_copy(update={"threshold_folds": 0})
    changed = {
        "suite": name,
        "label": "",
        "metrics": metrics,
        "protocol": protocol,
        "evaluate_on": "oracle" if oracle else "validation",
    }
    return spec.model_copy(update=changed)


def _entry(suite: Suite, method: str) -> int:
    names = [entry.name for entry in suite.methods]
    if method not in names:
        raise InputError(f"--method {method}: {unknown(f'method of suite {suite.name}', method, sorted(set(names)))}")
    return names.index(method)


def _check_metrics(metrics: tuple[str, ...]) -> None:
    known = registry.names("metric")
    for index, name in enumerate(metrics):
        if name not in known:
            raise InputError(f"--metric {name}: {unknown('metric', name, known)}")
        if name in metrics[:index]:
            raise InputError(f"--metric {name} is given twice")
