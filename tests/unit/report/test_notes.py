"""The notes below a result table."""

from __future__ import annotations

from typing import Any

from pybench.records import Attempt
from tests.unit.report.trials import one, trial


def test_trials_that_were_begun_again_are_named() -> None:
    attempt = Attempt(node="here", started="1", ended="2", reason="WorkerCrashedError: gone")
    results = [trial("lid", "a", 0.9), trial("plate", "a", 0.9)]
    for result in results:
        result.record.attempts.append(attempt)
    assert "begun again: WorkerCrashedError: gone (lid/a, plate/a)" in one(results).notes


def test_features_that_trials_share_are_added_up() -> None:
    results = [
        trial("lid", "a", 0.9, provenance={"features": {"extracted": 14, "found": 16}}),
        trial("lid", "b", 0.9, provenance={"features": {"extracted": 0, "found": 30}}),
        trial("plate", "c", 0.9),
    ]
    results[0].record.timings.update(features=2.6, feature_cache=0.4)
    results[1].record.timings.update(features=0.0, feature_cache=0.8)
    note = "features of 14 images extracted in 3 s, 46 times found; the cache took 1 s; beside the time to fit"
    assert note in one(results).notes
    assert not any("extracted" in note for note in one(results[-1:]).notes)


def test_a_training_that_trials_share_is_counted_once() -> None:
    def adapted(entry: str, seconds: float, **more: str) -> dict[str, Any]:
        return {"adaptation": {"entry": entry, "seconds": seconds, **more}}

    results = [
        trial("lid", "a", 0.9, provenance=adapted("x", 100.0)),
        trial("lid", "b", 0.9, provenance=adapted("x", 100.0)),
        trial("plate", "a", 0.9, provenance=adapted("y", 300.0, took_the_place_of_damaged="y.kept")),
        trial("plate", "c", 0.9),
    ]
    assert "2 adapted backbones, trained for 200 s in the mean, beside the time to fit" in one(results).notes
    assert "! y.kept was damaged; trained anew" in one(results).notes
    assert not any("adapted" in note for note in one(results[-1:]).notes)
