"""Which detector of a run is taken: constraints, the front, who is not eligible, and how sure the answer is."""

from __future__ import annotations

import pytest

from pybench.records import Result
from pybench.report.best import answer
from pybench.report.selection import Detector, Selection, selections
from pybench.types import InputError
from tests.unit.report.detectors import FIVE, METRIC, changed, detector, measurement, printed, select


def named(selection: Selection, label: str) -> Detector:
    (found,) = [one for one in selection.detectors if one.label == label]
    return found


def test_a_front_by_hand() -> None:
    chosen = select(FIVE)
    assert {one.label for one in chosen.detectors if one.in_front} == {"exact", "fast", "small"}
    assert chosen.best is named(chosen, "exact")
    # Limits do not change what the front is.
    limited = select(FIVE, "latency_p95_ms<=15")
    assert {one.label for one in limited.detectors if one.in_front} == {"exact", "fast", "small"}


def test_limits_decide_and_a_value_at_the_limit_keeps_it() -> None:
    chosen = select(FIVE, "latency_p95_ms<=12")
    assert [one.label for one in chosen.detectors[:2]] == ["fast", "beaten_by_fast"]
    assert chosen.best is named(chosen, "fast")
    assert [str(limit) for limit in named(chosen, "small").broken] == ["latency_p95_ms<=12"]
    assert select(FIVE, "latency_p50_ms<=10", "peak_memory_mb<=1000").best == named(select(FIVE), "exact")
    text = printed(chosen)
    assert "over latency_p95_ms<=12 by 18" in text
    assert "without limits: exact with AUPRO 0.30 90.0, which breaks latency_p95_ms<=12" in text


def test_of_what_looks_equal_the_fastest_is_best() -> None:
    chosen = select([*detector("slow", 0.90001, 20), *detector("quick", 0.9, 10), *detector("bad", 0.5, 1)])
    assert answer(chosen).startswith(
        "On tiles (quick profile) quick is best: AUPRO 0.30 90.0, level with slow but faster;"
    )


def test_lower_is_better_where_the_metric_says_so() -> None:
    results = [
        *detector("wasteful", 0.3, 10, metric="overkill_rate"),
        *detector("thrifty", 0.1, 20, metric="overkill_rate"),
        *detector("dominated", 0.2, 20, metric="overkill_rate"),
    ]
    chosen = select(results, metric="overkill_rate")
    assert [one.label for one in chosen.detectors] == ["thrifty", "dominated", "wasteful"]
    assert {one.label for one in chosen.detectors if one.in_front} == {"thrifty", "wasteful"}
    assert "thrifty is best: overkill rate 10.0, 10.0 points better than dominated" in answer(chosen)


def test_the_seeds_say_whether_two_can_be_told_apart() -> None:
    """Differences of 2, 3 and 4 points: 3 on average, with an interval of 3 -+ 4.303 / sqrt(3)."""
    close = select([*detector("a", [0.80, 0.85, 0.90]), *detector("b", [0.78, 0.82, 0.86])])
    assert close.margin is not None
    assert close.margin.interval == pytest.approx((3 - 4.3027 / 3**0.5, 3 + 4.3027 / 3**0.5), abs=1e-3)
    assert close.margin.tells_apart
    assert "a is best: AUPRO 0.30 85.0±5.0, 3.0 points better than b; the seeds tell them apart" in answer(close)
    noisy = select([*detector("a", [0.80, 0.85, 0.90], 30), *detector("b", [0.79, 0.90, 0.80], 12)])
    assert noisy.margin is not None
    assert noisy.margin.tells_apart is False
    assert "the seeds do not tell them apart" in answer(noisy)
    assert "faster, and not told apart from the best by the seeds: b (p95 12 instead of 30 ms)" in noisy.notes


def test_one_seed_tells_nothing() -> None:
    chosen = select([*detector("a", 0.9), *detector("b", [0.8, 0.8])])
    assert chosen.margin is not None
    assert chosen.margin.tells_apart is None
    assert "they have one seed in common, so how much of that is chance is not known" in answer(chosen)
    assert "! not all candidates have results of the same seeds" in chosen.notes


def test_what_failed_is_not_eligible_and_does_not_narrow_the_others_mean() -> None:
    results = [
        *detector("a", 0.8, categories=("lid", "nut")),
        *detector("b", 0.9),
        *detector("b", None, categories=("nut",), status="failed", reason="RuntimeError: ran out of nuts\nmore"),
    ]
    results[1].record.metrics[METRIC] = 0.6
    chosen = select(results)
    assert chosen.best is named(chosen, "a")
    assert str(named(chosen, "a").value) == "70.0"
    assert named(chosen, "b").unfit == "1 of 2 trials failed: RuntimeError: ran out of nuts"
    assert not named(chosen, "b").in_front


def test_means_are_over_the_categories_that_all_have() -> None:
    results = [*detector("a", 0.8, categories=("lid", "nut")), *detector("b", 0.7)]
    results[1].record.metrics[METRIC] = 0.2
    chosen = select(results)
    assert [str(one.value) for one in chosen.detectors] == ["80.0", "70.0"]
    assert "mean of AUPRO 0.30: over the 1 of 2 categories in which every method has a value" in chosen.notes
    disjoint = select([*detector("a", 0.8), *detector("b", 0.7, categories=("nut",))])
    assert disjoint.best is None
    assert disjoint.detectors[0].unfit == "no category has AUPRO 0.30 of every candidate"
    assert answer(disjoint) == "On tiles (quick profile) nothing can be chosen: no candidate is eligible."


def test_undefined_is_a_reason_where_another_has_a_value() -> None:
    """In ``nut`` nobody has the metric, which tells nothing of anybody."""
    none = {"undefined": {METRIC: "no masks"}}
    everywhere = [*detector("a", 0.8), *detector("a", None, categories=("nut",), **none)]
    lacking = [*detector("b", None, categories=("lid", "nut"), undefined={METRIC: "no maps"})]
    chosen = select([*everywhere, *lacking])
    assert not named(chosen, "a").unfit
    assert named(chosen, "b").unfit == "AUPRO 0.30 undefined in 1 of 2 trials: no maps"
    assert select(lacking).detectors[0].unfit == "AUPRO 0.30 undefined in 2 of 2 trials: no maps"


def test_without_a_latency_nothing_keeps_a_limit() -> None:
    results = [*detector("timed", 0.8), *detector("untimed", 0.9, None)]
    limited = select(results, "latency_p95_ms<=20")
    assert limited.best is named(limited, "timed")
    assert named(limited, "untimed").unfit == "latency was not measured"
    free = select(results)
    assert free.best is named(free, "untimed")
    assert not free.best.in_front


def test_what_comes_closest_is_named() -> None:
    """The worst share counts: 5 of 20 ms is less than 300 of 600 MB."""
    chosen = select(
        [*detector("heavy", 0.9, 21, 900), *detector("slow", 0.8, 25, 500)],
        "latency_p95_ms<=20",
        "peak_memory_mb<=600",
    )
    assert chosen.best is None
    assert answer(chosen) == (
        "On tiles (quick profile) nothing keeps latency_p95_ms<=20 and peak_memory_mb<=600: slow comes closest, with "
        "latency_p95_ms 25.0, 5 (25 %) over."
    )


def test_a_limit_that_the_interval_exceeds_is_kept_with_a_warning() -> None:
    results = [*detector("a", 0.9, 19, latency={"upper": 1.2}), *detector("b", 0.8, 18, latency={"upper": 1.3})]
    chosen = select(results, "latency_p95_ms<=20")
    assert chosen.best is named(chosen, "a")
    assert "It keeps latency_p95_ms<=20 as measured, but the upper end of the 95 % interval, 22.8, does not." in answer(
        chosen
    )
    assert "10.0 behind; latency_p95_ms<=20 not sure: up to 23.4" in printed(chosen)


def test_a_flagged_latency_is_marked() -> None:
    chosen = select([*detector("a", 0.9, latency={"flags": ("busy machine",)}), *detector("b", 0.8)])
    assert answer(chosen).endswith("Its latency was flagged (!), see below.")
    assert "10.0!" in printed(chosen)
    assert "! busy machine (a)" in chosen.notes


def test_of_several_latencies_the_slowest_counts() -> None:
    (first, second) = detector("a", 0.9, 10, 800, categories=("lid", "nut"))
    slower = measurement(second.record.spec, 30, 600, upper=1.5, key="another", image_width=512)
    chosen = select([first, Result(second.record, slower)], "latency_p95_ms<=40")
    (only,) = chosen.detectors
    assert only.measured == {"latency_p50_ms": 15, "latency_p95_ms": 30, "peak_memory_mb": 800}
    assert only.intervals["latency_p95_ms"] == (27, 45)
    assert only.uncertain
    assert "a: the slowest of 2 latencies counts, on tiles/nut at 512x200" in chosen.notes


def test_latencies_of_different_machines_are_told() -> None:
    here, there = ({"manifest": {"cpu": cpu, "cores": 2}} for cpu in ("One", "Other"))
    chosen = select([*detector("a", 0.9, latency=here), *detector("b", 0.8, latency=there)])
    (note,) = [note for note in chosen.notes if "not comparable" in note]
    assert "One, 2 cores, no GPU (a); Other, 2 cores, no GPU (b)" in note


def test_a_latency_of_other_code_is_told() -> None:
    chosen = select([*detector("a", 0.9, code_version="new"), *detector("b", 0.8)])
    assert "! latency was measured with other code than the trials (a)" in chosen.notes


def test_an_oracle_says_so() -> None:
    notes = select([*changed(detector("a", 0.9), evaluate_on="oracle"), *detector("b", 0.8)]).notes
    assert notes[0].startswith("! ORACLE")
    assert notes[1].startswith("chosen by test labels")


def test_tables_that_look_alike_are_told_apart_as_a_filter_takes_it() -> None:
    results = [*detector("a", 0.9), *changed(detector("a", 0.8), dataset_options={"seed": 3})]
    assert [one.place for one in selections(results, METRIC, ())] == [
        "tiles (quick profile, dataset_options.seed=None)",
        "tiles (quick profile, dataset_options.seed=3)",
    ]


def test_what_is_asked_for_must_be_there() -> None:
    with pytest.raises(InputError, match="did you mean 'aupro_30'"):
        selections(FIVE, "aupro", ())
    with pytest.raises(InputError, match=r"mine: not installed here, .* --plugins"):
        selections(changed(detector("a", 0.9), metrics=("mine",)), "mine", ())
