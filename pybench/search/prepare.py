"""From a suite to a search: the trials of one method with its defaults, what is searched, where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pybench import registry
from pybench.planning import strict_yaml
from pybench.planning.plan import Plan, plan
from pybench.planning.search_space import Space, declared_space, suite_space
from pybench.planning.suite import Suite
from pybench.planning.trial_list import ListedSpecs
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
    filters: dict[str, str],
    overrides: dict[str, str],
    **options: object,
) -> Prepared:
    """Plan the trials of a suite's first entry of a method.

    What ``overrides`` set of the method's parameters stays as it is set; of the others the suite's ``search``, or else
    what the method declares, is searched. ``options`` are those of ``pybench.planning.plan.plan``.

    Raises:
        InputError: a name, key or value that cannot be used, or nothing to search.
    """
    index = _entry(suite, method)
    _check_metrics(metrics)
    if "method" in filters:
        raise InputError(f"--filter method={filters['method']}: --method says which one is searched")
    planned = plan(
        suite,
        document,
        filters={**filters, "method": method},
        overrides=overrides,
        **options,  # type: ignore[arg-type]
    )
    cls: type[Method] = registry.load("method", method)
    entry = suite.methods[index]
    space = suite_space(entry.search, cls.Params, document, ("methods", index, "search")) or declared_space(cls.Params)
    is_set = {key.partition(".")[2] for key in overrides if key.partition(".")[0] in ("params", method)}
    space = {name: part for name, part in space.items() if name not in is_set}
    if not space:
        raise InputError(
            f"{document.where(('methods', index))}: nothing to search of {method}; name parameters in the suite, as in "
            "search: {NAME: {low: 1, high: 10}, OTHER: [a, b]}"
        )
    name = f"{suite.name}_tune_{method}{'_oracle' if oracle else ''}"
    first, notes = planned.specs[0], planned.notes
    own = [spec for spec in planned.specs if (spec.label, spec.params) == (first.label, first.params)]
    if len(own) < len(planned.specs):
        named = f"{method} {first.label}".strip()
        notes = (
            *notes,
            f"method: the suite has several settings of {method}; the first is searched ({named})",
        )
    protocol = first.protocol
    if not _OF_FOLDS & set(metrics):
        protocol = protocol.model_copy(update={"threshold_folds": 0})
    changed = {
        "suite": name,
        "label": "",
        "metrics": metrics,
        "protocol": protocol,
        "evaluate_on": "oracle" if oracle else "validation",
    }
    specs = ListedSpecs(spec.model_copy(update=changed) for spec in own)
    return Prepared(suite.name, first, replace(planned, suite=name, specs=specs, notes=notes), space)


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
