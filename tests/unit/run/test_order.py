"""Which trial is next: the longest of the coming ones, as far as earlier records tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pybench.planning.trial_list import DatasetChoice, MethodChoice, Specs
from pybench.records import Record
from pybench.run import order as run_order
from pybench.run.order import LongestFirst
from pybench.spec import Protocol, Resources, TrialSpec

METHODS = ("brief", "long", "unknown")


def specs(categories: tuple[str, ...] = ("lid", "nut")) -> Specs:
    return Specs(
        suite="s",
        profile="quick",
        metrics=("image_auroc",),
        protocol=Protocol(),
        resources=Resources(),
        datasets=(DatasetChoice("d", categories, {}, None),),
        data_seeds=(0,),
        methods=tuple(MethodChoice(method, "", {}, (0,)) for method in METHODS),
    )


def record(spec: TrialSpec, seconds: float) -> Record:
    return Record(key=spec.key(), spec=spec, status="ok", timings={"fit": seconds})


def order(given: Specs, seconds: dict[tuple[str, str], float], finished: tuple[str, ...] = ()) -> list[str]:
    """The order after earlier records of these (category, method); those of ``finished`` categories need not run."""

    def earlier(spec: TrialSpec) -> tuple[Record | None, bool]:
        known = seconds.get((spec.category, spec.method))
        return (None if known is None else record(spec, known)), spec.category in finished

    return [f"{spec.category} {spec.method}" for spec in LongestFirst(given, earlier)]


def test_without_earlier_records_it_is_the_suites_own() -> None:
    assert order(specs(), {}) == [f"{category} {method}" for category in ("lid", "nut") for method in METHODS]


def test_the_longest_go_first_and_unknown_ones_before_them() -> None:
    known = {("lid", "brief"): 1.0, ("lid", "long"): 9.0}
    assert order(specs(), known, finished=("lid",)) == ["nut unknown", "nut long", "nut brief"]
    assert order(specs(), known)[:4] == ["lid unknown", "nut unknown", "lid long", "nut long"]


def test_what_is_expected_is_that_of_the_same_parameters_first() -> None:
    sheets = tuple(MethodChoice("hetmm", "", {"sheets": count}, (0,)) for count in (10, 60))
    given = replace(specs(), methods=sheets)

    def earlier(spec: TrialSpec) -> tuple[Record | None, bool]:
        return record(spec, float(spec.params["sheets"])), spec.category == "lid"

    assert [spec.params["sheets"] for spec in LongestFirst(given, earlier)] == [60, 10]


def test_no_more_are_looked_at_than_the_look_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_order, "LOOK_AHEAD", 4)
    asked: list[str] = []

    def earlier(spec: TrialSpec) -> tuple[Record | None, bool]:
        asked.append(spec.category)
        return None, False

    categories = tuple(f"c{number}" for number in range(10))
    iterator = iter(LongestFirst(specs(categories), earlier))
    next(iterator)
    assert len(asked) == 4
    assert len(list(iterator)) == 29
    assert len(asked) == 30


def test_finished_trials_are_passed_over_however_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_order, "LOOK_AHEAD", 4)
    categories = tuple(f"c{number}" for number in range(10))
    seconds = {(category, "long"): 1.0 for category in categories}
    assert order(specs(categories), seconds, finished=categories[:9]) == ["c9 brief", "c9 unknown", "c9 long"]
    assert order(specs(categories), seconds, finished=categories) == []
