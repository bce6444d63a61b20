"""The search space of a method: an interval or choices for each searched parameter.

It comes from the suite's ``search``, or else from what the method declares in ``json_schema_extra`` of its fields:

    ``"search": True``                                    all that the field's type allows: bounds, literals, a bool
    ``"search": {"low": 1, "high": 64, "log": True}``     an interval; ``log`` draws evenly on a logarithmic scale
    ``"search": [[2, 3], [1, 2, 3]]``                     choices
    ``"fidelity": True``                                  a budget: settings are first tried with a share of it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pybench.planning import strict_yaml
from pybench.registry import unknown
from pybench.types import InputError, MethodParams

if TYPE_CHECKING:
    from optuna import Trial

_OPEN = 1e-6  # share of an interval that is left out at a bound which does not belong to it


class Range(BaseModel):
    """An interval as it is written in a suite or in a method's declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float
    log: bool = False


@dataclass(frozen=True)
class Interval:
    """Numbers from ``low`` to ``high``, both included: integers if ``whole``, else with four significant digits."""

    low: float
    high: float
    log: bool
    whole: bool

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def encoded(self, value: Any) -> Any:
        """The value in the form that the sampler uses."""
        return value

    def draw(self, name: str, trial: Trial) -> Any:
        """A value that the sampler chooses."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        drawn = trial.suggest_float(name, self.low, self.high, log=self.log)
        return min(max(float(f"{drawn:.4g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


@dataclass(frozen=True)
class Choices:
    """Any JSON values, of which one is taken."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def encoded(self, value: Any) -> Any:
        """The value in the form that the sampler uses; it accepts no lists."""
        return json.dumps(value)

    def draw(self, name: str, trial: Trial) -> Any:
        """A value that the sampler chooses."""
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in self.values]))

    def __str__(self) -> str:
        return " | ".join(json.dumps(value) for value in self.values)


Space = Mapping[str, Interval | Choices]


def declared_space(params: type[MethodParams]) -> Space:
    """The space that a method declares, in the order of its parameters.

    Raises:
        InputError: a declaration that cannot be used.
    """
    entries = {name: _extra(field).get("search") for name, field in params.model_fields.items()}
    return {
        name: _of_type(name, params.model_fields[name]) if entry is True else _read(name, entry, params)
        for name, entry in entries.items()
        if entry is not None
    }


def suite_space(
    search: dict[str, Any], params: type[MethodParams], document: strict_yaml.Document, at: strict_yaml.KeyPath
) -> Space:
    """The space of a suite's ``search`` mapping.

    Args:
        search: the mapping, parameter -> interval or choices.
        params: the parameters of the method.
        document: the suite's file, which errors name.
        at: the key of the mapping in this file.

    Raises:
        InputError: an unknown parameter, or bounds or choices that it cannot have; with file, line and key.
    """
    space = {}
    for name, entry in search.items():
        try:
            if name not in params.model_fields:
                raise InputError(unknown("parameter", name, list(params.model_fields)))
            space[name] = _read(name, entry, params)
        except InputError as error:
            raise InputError(f"{document.where((*at, name))}: {error}") from error
    return space


def scaled(params: dict[str, Any], model: type[MethodParams], share: float) -> dict[str, Any]:
    """The parameters with a share of the budget that the method declares as its fidelity; each part of it is scaled."""
    return {
        name: _scaled(value, share) if _extra(model.model_fields[name]).get("fidelity") else value
        for name, value in params.items()
    }


def has_fidelity(model: type[MethodParams]) -> bool:
    """Whether a method declares a budget that can be scaled."""
    return any(_extra(field).get("fidelity") for field in model.model_fields.values())


def _scaled(value: Any, share: float) -> Any:
    if isinstance(value, dict):
        return {key: _scaled(part, share) for key, part in value.items()}
    if value is None or isinstance(value, bool | str):
        return value
    return max(1, round(value * share)) if isinstance(value, int) else value * share


def _read(name: str, entry: Any, params: type[MethodParams]) -> Interval | Choices:
    field = params.model_fields[name]
    if isinstance(entry, list):
        if len(entry) < 2:
            raise InputError(f"{len(entry)} choices: a search needs at least two")
        for value in entry:
            _check(field, value)
        return Choices(tuple(entry))
    if not isinstance(entry, dict):
        raise InputError(f"expected {{low: ..., high: ...}} or a list of choices, got {entry!r}")
    try:
        range = strict_yaml.validate(Range, entry)
    except ValidationError as error:
        found = strict_yaml.problems(error, Range)
        raise InputError("; ".join(f"{strict_yaml.dotted(path)}: {text}" for path, text in found)) from error
    kinds = _kinds(field)
    if not kinds & {int, float}:
        raise InputError("is no number: give a list of choices")
    for bound in (range.low, range.high):
        _check(field, bound)
    if range.low >= range.high:
        raise InputError(f"low: {range.low:g} is not below high: {range.high:g}")
    if range.log and range.low <= 0:
        raise InputError(f"log: a logarithmic scale has no {range.low:g}; low must be above 0")
    return Interval(range.low, range.high, range.log, whole=float not in kinds)


def _check(field: FieldInfo, value: Any) -> None:
    """Check that a parameter can have this value."""
    kind: Any = field.annotation
    if field.metadata:
        kind = Annotated[(kind, *field.metadata)]
    try:
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise InputError(f"{value!r}: {error.errors()[0]['msg']}") from error


def _of_type(name: str, field: FieldInfo) -> Interval | Choices:
    """All values that a field's type allows; an optional number is searched as a number."""
    kinds = _kinds(field)
    if get_origin(field.annotation) is Literal:
        return Choices(get_args(field.annotation))
    if kinds == {bool}:
        return Choices((False, True))
    low, high = _bound(field, "ge", "gt"), _bound(field, "le", "lt")
    if not kinds & {int, float} or low is None or high is None:
        raise InputError(f"{name}: its type has no bounds; declare what to search")
    whole = float not in kinds
    margin = 1.0 if whole else _OPEN * (high[0] - low[0])
    return Interval(low[0] + margin * low[1], high[0] - margin * high[1], log=False, whole=whole)


def _bound(field: FieldInfo, closed: str, open: str) -> tuple[float, bool] | None:
    """A bound of a field and whether it is open, or None."""
    for constraint in field.metadata:
        for name in (closed, open):
            if (value := getattr(constraint, name, None)) is not None:
                return float(value), name == open
    return None


def _kinds(field: FieldInfo) -> set[Any]:
    """The types that a field's value may have, except None."""
    if get_origin(field.annotation) not in (Union, UnionType):
        return {field.annotation}
    return {kind for kind in get_args(field.annotation) if kind is not type(None)}


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}
