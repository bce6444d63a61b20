"""What a result table says: marks, means, footnotes, columns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybench.report.names import UNDEFINED
from pybench.report.summary import Summary, columns_of, summaries
from pybench.spec import Resources
from pybench.types import InputError
from tests.unit.report.trials import one, trial


def row(summary: Summary, category: str, metric: str = "image_auroc") -> dict[str, tuple[str, str]]:
    cells = {column.label: summary.cells[category, column.key, metric] for column in summary.columns}
    return {label: (str(cell), cell.mark) for label, cell in cells.items()}


def test_best_and_second_best_are_marked() -> None:
    summary = one([trial("lid", "a", 0.9), trial("lid", "b", 0.95), trial("lid", "c", 0.8)])
    assert row(summary, "lid") == {"a": ("90.0", "second"), "b": ("95.0", "best"), "c": ("80.0", "")}


def test_what_looks_equal_is_a_tie_and_two_best_leave_no_second() -> None:
    summary = one([trial("lid", "a", 0.90001), trial("lid", "b", 0.90002), trial("lid", "c", 0.8)])
    assert [mark for _, mark in row(summary, "lid").values()] == ["best", "best", ""]


def test_tied_second_best_are_all_marked() -> None:
    summary = one([trial("lid", "a", 1.0), trial("lid", "b", 0.9), trial("lid", "c", 0.9)])
    assert [mark for _, mark in row(summary, "lid").values()] == ["best", "second", "second"]


def test_a_rate_of_errors_is_best_where_it_is_lowest() -> None:
    results = [trial("lid", "a", {"overkill_rate": 0.3}), trial("lid", "b", {"overkill_rate": 0.1})]
    summary = one(results, "overkill_rate")
    assert row(summary, "lid", "overkill_rate") == {"a": ("30.0", "second"), "b": ("10.0", "best")}


def test_the_spread_of_a_mean_is_over_seeds_that_are_complete() -> None:
    """Means of seeds 0 and 1 are 60 and 70, sqrt(50) apart from their mean by 5 each; seed 2 lacks a category."""
    results = [trial("lid", "a", value, seed=seed) for seed, value in enumerate((0.5, 0.8, 0.9))]
    results += [trial("plate", "a", 0.7, seed=0), trial("plate", "a", 0.6, seed=1)]
    summary = one(results)
    (column,) = summary.columns
    mean = summary.means[column.key, "image_auroc"]
    assert mean.spread == pytest.approx(50**0.5)
    assert mean.value == pytest.approx((73.3333 + 65) / 2, abs=1e-3)
    assert one(results[:1]).means[column.key, "image_auroc"].spread is None


def test_one_method_alone_is_not_best() -> None:
    assert row(one([trial("lid", "a", 0.9)]), "lid") == {"a": ("90.0", "")}


@settings(deadline=None)  # the first call imports the metrics
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_marks_agree_with_ranks(values: list[float]) -> None:
    summary = one([trial("lid", f"m{i}", value) for i, value in enumerate(values)])
    cells = [summary.cells["lid", column.key, "image_auroc"] for column in summary.columns]
    for cell in cells:
        better = sum(float(str(other)) > float(str(cell)) for other in cells)
        assert cell.mark == {0: "best", 1: "second"}.get(better, "")


def test_mean_is_over_categories_that_every_method_completed() -> None:
    results = [
        trial("lid", "a", 0.8),
        trial("lid", "b", 0.6),
        trial("nut", "a", 0.2),
        trial("nut", "b", None, status="failed", reason="ran out of nuts\nmore"),
    ]
    summary = one(results)
    assert [str(summary.means[column.key, "image_auroc"]) for column in summary.columns] == ["80.0", "60.0"]
    assert "mean of image AUROC: over the 1 of 2 categories in which every method has a value" in summary.notes
    assert "failed: ran out of nuts (nut/b)" in summary.notes
    assert row(summary, "nut")["b"] == ("failed", "")


def test_a_method_without_maps_does_not_empty_the_others_means() -> None:
    results = [
        trial("lid", "maps", {"image_auroc": 0.7, "pixel_auroc": 0.9}),
        trial("lid", "scores", {"image_auroc": 0.8, "pixel_auroc": None}, undefined={"pixel_auroc": "no maps"}),
    ]
    summary = one(results, "image_auroc", "pixel_auroc")
    assert [str(summary.means[column.key, "pixel_auroc"]) for column in summary.columns] == ["90.0", UNDEFINED]
    assert f"{UNDEFINED} pixel AUROC: no maps (lid/scores)" in summary.notes


def test_seeds_give_mean_and_sample_standard_deviation() -> None:
    summary = one([trial("lid", "a", 0.8, seed=0), trial("lid", "a", 0.9, seed=1)])
    assert row(summary, "lid") == {"a": ("85.0±7.1", "")}
    assert "trial seeds 0, 1" in summary.facts[0]


def test_columns_are_named_by_what_differs() -> None:
    results = [trial("lid", "a", 0.5, params={"k": k, "size": 64}) for k in (1, 3)] + [trial("lid", "b", 0.5)]
    assert [column.label for column in one(results).columns] == ["a k=1", "a k=3", "b"]
    threads = [trial("lid", "a", 0.5, resources=Resources(threads=n)).record.spec for n in (1, 4)]
    assert [column.label for column in columns_of(threads)] == ["a threads=1", "a threads=4"]


def test_profiles_and_datasets_never_share_a_table() -> None:
    others = [trial("lid", "a", 0.6, profile="paper"), trial("lid", "a", 0.7, dataset="tiles_standin")]
    results = [trial("lid", "a", 0.5), *others]
    titles = [summary.title for summary in summaries(results)]
    assert titles == [
        "a_suite: tiles, quick profile, weights: random",
        "a_suite: tiles, paper profile, weights: random",
        "a_suite: tiles_standin, quick profile, weights: random",
    ]


def test_not_run_is_empty_and_not_a_value() -> None:
    summary = one([trial("lid", "a", 0.5), trial("lid", "b", 0.6), trial("nut", "a", 0.7)])
    assert row(summary, "nut") == {"a": ("70.0", ""), "b": ("", "")}


def test_default_metrics_are_the_headline_ones() -> None:
    (summary,) = summaries([trial("lid", "a", 0.5)])
    assert summary.metrics == ["image_auroc", "pixel_auroc", "aupro_30"]


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown metric 'aupro'; did you mean 'aupro_30'"):
        summaries([trial("lid", "a", 0.5)], ["aupro"])
