"""What is searched: from a method's bounds and declarations, from a suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from pybench import registry
from pybench.planning.search_space import Choices, Interval, declared_space, has_fidelity, scaled
from pybench.planning.strict_yaml import validate
from pybench.types import InputError, MethodParams

SEARCHED = {"search": True}
SUITE = """\
name: mine
title: My suite
datasets: [{name: mvtec_ad, categories: [bottle]}]
methods:
  - name: padim
    search:
      sigma: {low: 1, high: 8}
      layers: [[2, 3], [1, 2, 3]]
"""


class Budget(BaseModel):
    epochs: float | None = None
    steps: int | None = None


class Params(MethodParams):
    share: float = Field(0.5, ge=0, le=1, json_schema_extra=SEARCHED)
    open: float = Field(0.5, gt=0, lt=2, json_schema_extra=SEARCHED)
    count: int = Field(3, gt=1, le=9, json_schema_extra=SEARCHED)
    optional: int | None = Field(None, ge=1, le=9, json_schema_extra=SEARCHED)
    kind: Literal["a", "b"] = Field("a", json_schema_extra=SEARCHED)
    flag: bool = Field(True, json_schema_extra=SEARCHED)
    rate: float = Field(0.1, gt=0, json_schema_extra={"search": {"low": 0.01, "high": 1, "log": True}})
    layers: tuple[int, ...] = Field((1,), json_schema_extra={"search": [[1], [1, 2]]})
    budget: Budget = Field(Budget(epochs=9, steps=90), json_schema_extra={"fidelity": True})
    sheets: int | None = Field(None, json_schema_extra={"fidelity": True})


def test_a_space_comes_from_a_methods_types_and_declarations() -> None:
    space = declared_space(Params)
    assert space["share"] == Interval(0, 1, log=False, whole=False)
    assert isinstance(space["open"], Interval)
    assert 0 < space["open"].low < 1e-3
    assert 2 - 1e-3 < space["open"].high < 2
    assert space["count"] == Interval(2, 9, log=False, whole=True)
    assert space["optional"] == Interval(1, 9, log=False, whole=True)
    assert space["kind"] == Choices(("a", "b"))
    assert space["flag"] == Choices((False, True))
    assert space["rate"] == Interval(0.01, 1, log=True, whole=False)
    assert space["layers"] == Choices(([1], [1, 2]))
    assert list(space) == ["share", "open", "count", "optional", "kind", "flag", "rate", "layers"]
    assert 0.5 in space["share"]
    assert None not in space["optional"]
    assert [1, 2] in space["layers"]


def test_what_has_no_bounds_must_be_declared() -> None:
    class Unbounded(MethodParams):
        factor: float = Field(1.0, ge=0, json_schema_extra=SEARCHED)

    with pytest.raises(InputError, match="factor: its type has no bounds"):
        declared_space(Unbounded)


def test_the_methods_that_come_with_pybench_declare_spaces_that_hold() -> None:
    for name in registry.names("method"):
        cls = registry.load("method", name)
        space = declared_space(cls.Params)
        assert space, f"{name} declares nothing to search"
        assert has_fidelity(cls.Params) == (cls.trains or name == "patchcore")
        assert not {"image_size", "batch_size", "backbone", "weights"} & space.keys()


def test_a_share_of_the_budget() -> None:
    full = Params().model_dump(mode="json")
    third = scaled(full, Params, 1 / 3)
    assert third["budget"] == {"epochs": 3.0, "steps": 30}
    assert third["sheets"] is None
    assert {**third, "budget": full["budget"]} == full
    assert scaled({**full, "sheets": 2}, Params, 1 / 9)["sheets"] == 1
    validate(Params, third)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma:", "sigmo:", "mine.yaml:7: methods[0].search.sigmo: unknown parameter 'sigmo'; did you mean 'sigma'?"),
        ("low: 1", "low: -1", "mine.yaml:7: methods[0].search.sigma: -1: Input should be greater than or equal to 0"),
        ("high: 8", "high: 1", "mine.yaml:7: methods[0].search.sigma: low: 1 is not below high: 1"),
        ("high: 8", "hihg: 8", "did you mean 'high'?"),
        ("low: 1", "low: 0, log: true", "a logarithmic scale has no 0"),
        ("{low: 1, high: 8}", "3", "expected {low: ..., high: ...} or a list of choices, got 3"),
        ("[[2, 3], [1, 2, 3]]", "{low: 1, high: 2}", "mine.yaml:8: methods[0].search.layers: is no number"),
        ("[[2, 3], [1, 2, 3]]", "[[2, 3]]", "mine.yaml:8: methods[0].search.layers: 1 choices"),
        ("[[2, 3], [1, 2, 3]]", "[[2, 3], wide]", "mine.yaml:8: methods[0].search.layers: 'wide': Input should be"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_suites_search_is_named(
    read: Callable[[str], Any], old: str, new: str, message: str
) -> None:
    assert old in SUITE
    with pytest.raises(InputError) as error:
        read(SUITE.replace(old, new, 1))
    assert message in str(error.value)


def test_a_suites_search_is_read(read: Callable[[str], Any]) -> None:
    suite, _ = read(SUITE)
    assert set(suite.methods[0].search) == {"sigma", "layers"}
