"""The search: a known optimum is found, no test label is read, constraints hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pybench.results.store import Store
from pybench.search.prepare import Prepared
from tests.unit.search.tunable import Clockwork, searched


def test_a_known_optimum_is_found_without_a_test_label(prepare_search: Callable[..., Prepared], tmp_path: Path) -> None:
    search, log = searched(prepare_search(), tmp_path / "run", 24)
    assert search.best is not None
    assert search.best.params["gain"] == pytest.approx(0.7, abs=0.1)
    assert search.best.values["pixel_auroc"] > search.defaults.values["pixel_auroc"]
    assert search.defaults.params["gain"] == 0.1
    assert search.labels_read_here == 0
    records = [result.record for result in Store(tmp_path / "run").results()]
    assert {record.counts["test_labels_read"] for record in records} == {0}
    assert {record.spec.evaluate_on for record in records} == {"validation"}
    # Most samples were left at a part of the budget, and had none of the rest.
    stopped = [candidate for candidate in search.candidates if candidate.state == "stopped"]
    assert len(stopped) > 8
    full = {record.spec.params["gain"] for record in records if record.spec.params["steps"] == 9}
    assert not full & {candidate.params["gain"] for candidate in stopped}

    again, log = searched(prepare_search(), tmp_path / "run", 24)
    assert not log.ran, "all of a search is in its store"
    assert [candidate.params for candidate in again.candidates] == [candidate.params for candidate in search.candidates]
    longer, log = searched(prepare_search(), tmp_path / "run", 26)
    assert [candidate.params for candidate in longer.candidates[:24]] == [
        candidate.params for candidate in search.candidates
    ]
    assert log.ran


def test_a_limit_holds(prepare_search: Callable[..., Prepared], tmp_path: Path) -> None:
    search, _ = searched(
        prepare_search(), tmp_path / "run", 20, constraints=("latency_p95_ms<=50",), executor=Clockwork
    )
    assert search.best is not None
    assert search.best.params["gain"] <= 0.5
    complete = [candidate for candidate in search.candidates if candidate.state == "complete"]
    broken = [candidate for candidate in complete if not search.ranking.is_feasible(candidate)]
    assert broken, "no candidate broke the limit: the test shows nothing"
    assert not {candidate.number for candidate in broken} & {candidate.number for candidate in search.front}
    assert search.best in search.front
    for candidate in search.front:
        assert not any(
            other.values["pixel_auroc"] > candidate.values["pixel_auroc"]
            and other.measured["latency_p95_ms"] < candidate.measured["latency_p95_ms"]
            for other in search.front
        )


def test_what_fails_is_never_best_and_the_search_goes_on(
    prepare_search: Callable[..., Prepared], tunable_suite: Path, tmp_path: Path
) -> None:
    text = "methods:\n  - name: tunable\n    search: {kind: [fine, broken], gain: {low: 0.2, high: 0.9}}"
    tunable_suite.write_text(tunable_suite.read_text().replace("methods:\n  - name: tunable", text))
    made = prepare_search()
    assert set(made.space) == {"kind", "gain"}
    search, _ = searched(made, tmp_path / "run", 9)
    failed = [candidate for candidate in search.candidates if candidate.state == "failed"]
    assert failed
    assert all("the lamp is broken" in candidate.reason for candidate in failed)
    assert search.best is not None
    assert search.best.params["kind"] == "fine"


def test_several_metrics_have_a_front(prepare_search: Callable[..., Prepared], tmp_path: Path) -> None:
    search, _ = searched(prepare_search(metrics=("image_auroc", "pixel_auroc")), tmp_path / "run", 6)
    assert search.best is not None
    assert set(search.best.values) == {"image_auroc", "pixel_auroc"}
    assert search.best.number in {candidate.number for candidate in search.front}
