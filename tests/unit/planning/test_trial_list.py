"""The trials of a plan: which, in which order, and that they are made only when they are asked for."""

from __future__ import annotations

import tracemalloc
from itertools import product

import pytest

from pybench.planning.trial_list import DatasetChoice, MethodChoice, Specs
from pybench.spec import Protocol, Resources
from pybench.types import InputError


def specs(seeds: tuple[int, ...] = (0, 1)) -> Specs:
    return Specs(
        suite="s",
        profile="quick",
        metrics=("image_auroc",),
        protocol=Protocol(),
        resources=Resources(),
        datasets=(DatasetChoice("d", ("lid", "nut"), {"a": 1}, None), DatasetChoice("e", ("lid",), {}, None)),
        data_seeds=(5, 6),
        methods=(MethodChoice("one", "", {"k": 1}, (0,)), MethodChoice("many", "", {}, seeds)),
    )


def names(given: Specs) -> list[tuple[object, ...]]:
    return [(spec.dataset, spec.data_seed, spec.category, spec.method, spec.seed) for spec in given]


def test_the_order_is_that_of_the_tables_rows() -> None:
    rows = [("d", seed, category) for seed, category in product((5, 6), ("lid", "nut"))]
    rows += [("e", seed, "lid") for seed in (5, 6)]
    assert names(specs()) == [(*row, *run) for row in rows for run in (("one", 0), ("many", 0), ("many", 1))]


def test_it_is_a_sequence() -> None:
    given = specs()
    assert len(given) == 18
    assert given[-1] == given[17] == list(given)[17]
    assert given[2:5] == list(given)[2:5]
    for outside in (18, -19):
        with pytest.raises(IndexError):
            given[outside]


def test_a_spec_has_what_its_choices_say() -> None:
    first = specs()[0]
    assert (first.suite, first.profile, first.metrics) == ("s", "quick", ("image_auroc",))
    assert (first.dataset_options, first.params) == ({"a": 1}, {"k": 1})


def test_one_of_each() -> None:
    assert [spec.method for spec in specs().of_each_method()] == ["one", "many"]
    assert len(specs().of_each_category()) == 6
    assert {(spec.dataset, spec.category) for spec in specs().of_each_category()} == {
        ("d", "lid"),
        ("d", "nut"),
        ("e", "lid"),
    }


@pytest.mark.parametrize(
    "filters",
    [
        {"dataset": "e"},
        {"category": "nut"},
        {"method": "many", "category": "lid"},
        {"seed": "1"},
        {"data_seed": "6", "seed": "0"},
    ],
)
def test_filters_keep_what_they_name(filters: dict[str, str]) -> None:
    kept = [
        spec for spec in specs() if all(str(getattr(spec, key)) in value.split(",") for key, value in filters.items())
    ]
    assert kept
    assert list(specs().filtered(filters)) == kept


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": "red"}, "--filter colour=red: unknown filter 'colour'"),
        ({"method": "mny"}, "did you mean 'many'"),
        ({"dataset": "e", "category": "nut"}, "unknown category 'nut'"),
    ],
)
def test_filters_that_cannot_be_used(filters: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        specs().filtered(filters)
    assert message in str(caught.value)


def test_a_million_trials_take_no_memory() -> None:
    seeds = tuple(range(10**6))
    tracemalloc.start()
    try:
        given = specs(seeds)
        assert len(given) == 6 * (10**6 + 1)
        assert given[-1].seed == 10**6 - 1
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
