"""Images that are drawn where the protocol limits their number: by the data seed only, evenly over defect types."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pybench.spec import Protocol, TrialSpec
from pybench.trial.samples import _draw_test, _even_shares
from pybench.types import Sample

SAMPLES = [Sample(Path(f"good/{i:03}.png")) for i in range(20)] + [
    Sample(Path(f"{kind}/{i:03}.png"), 1, kind)
    for kind, count in (("crack", 10), ("hole", 2), ("scratch", 10))
    for i in range(count)
]


def spec(**changes: Any) -> TrialSpec:
    fields = {
        "suite": "s", "dataset": "d", "category": "c", "method": "m", "params": {}, "profile": "quick", "metrics": (),
        "protocol": Protocol(test_images=16), **changes,
    }  # fmt: skip
    return TrialSpec(**fields)


def test_half_of_the_test_images_are_normal_and_the_rest_is_spread_over_defect_types() -> None:
    drawn = _draw_test(SAMPLES, spec())
    assert Counter(sample.defect_type for sample in drawn) == {"good": 8, "crack": 3, "hole": 2, "scratch": 3}
    assert drawn == sorted(drawn, key=SAMPLES.index)


def test_the_draw_depends_on_the_data_seed_and_not_on_method_or_trial_seed() -> None:
    assert _draw_test(SAMPLES, spec()) == _draw_test(SAMPLES, spec(method="other", seed=5))
    assert _draw_test(SAMPLES, spec()) != _draw_test(SAMPLES, spec(data_seed=1))


def test_no_limit_takes_all() -> None:
    assert _draw_test(SAMPLES, spec(protocol=Protocol())) == SAMPLES
    assert _draw_test(SAMPLES, spec(protocol=Protocol(test_images=1000))) == SAMPLES


def test_too_few_normal_images_are_made_up_for_by_defective_ones() -> None:
    drawn = _draw_test(SAMPLES[18:], spec())
    assert Counter(sample.label for sample in drawn) == {0: 2, 1: 14}


def test_even_shares() -> None:
    assert _even_shares([5, 5, 5], 7) == [3, 2, 2]
    assert _even_shares([1, 5], 4) == [1, 3]
    assert _even_shares([1, 1], 9) == [1, 1]
    assert _even_shares([], 3) == []
