"""Keys of trials: what they depend on, and that older records keep theirs."""

from __future__ import annotations

from pathlib import Path

from pybench.results.store import Store
from pybench.spec import TrialSpec

KEPT = Path(__file__).parent / "results" / "kept_records" / "v1" / "smoke"


def test_keys_depend_on_what_results_depend_on() -> None:
    spec = TrialSpec(
        suite="mine", dataset="d", category="c", method="padim", label="a", params={"dimensions": 50}, profile="quick",
        metrics=("image_auroc",),
    )  # fmt: skip
    assert spec.key() == TrialSpec.model_validate_json(spec.model_dump_json()).key()
    assert spec.key() == spec.model_copy(update={"suite": "other", "label": "b"}).key()
    for change in ({"seed": 1}, {"profile": "smoke"}, {"params": {**spec.params, "dimensions": 3}}, {"data_seed": 4}):
        assert spec.key() != spec.model_copy(update=change).key()


def test_keys_of_ordinary_trials_are_what_they_were() -> None:
    (result,) = Store(KEPT).results()
    assert result.record.spec.evaluate_on == "test"
    assert result.record.spec.key() == result.record.key == "7a8e9cba02c72bce"
    assert result.latency is not None
    assert result.record.spec.latency_key() == result.latency.key
    keys = {
        (spec.key(), spec.latency_key())
        for on in ("test", "validation", "oracle")
        for spec in [result.record.spec.model_copy(update={"evaluate_on": on})]
    }
    assert len({key for key, _ in keys}) == len({key for _, key in keys}) == 3
