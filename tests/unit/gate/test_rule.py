"""The gate's rule, on simulated samples and on samples that real gates recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pybench.gate.rule import CaseResult, Pairs, Ratio, Verdict, case_result, exit_code, ratio_of, verdict
from tests.unit.gate.simulation import simulated

# What `make gate-check` recorded on two cores of an AMD EPYC (Zen 3) that had four times as much to do as they are
# (2026-11-23): case -> nanoseconds of base and head, by process pair.
RECORDED = Path(__file__).parent / "samples"


def verdicts(slowdown: float, noise: float, times: int) -> list[Verdict]:
    return [case_result("case", simulated(slowdown, noise, seed), 0).verdict for seed in range(times)]


def ratio(median: float, lower: float, upper: float | None = None) -> Ratio:
    return Ratio(median, lower, 2 * median - lower if upper is None else upper)


def test_identical_code_passes() -> None:
    assert set(verdicts(1.0, 0.05, 100)) == {Verdict.passed}


@pytest.mark.parametrize("slowdown", [1.1, 1.2, 2.0])
def test_slow_downs_are_found(slowdown: float) -> None:
    assert set(verdicts(slowdown, 0.05, 50)) == {Verdict.regression}


def test_what_got_faster_is_named() -> None:
    assert set(verdicts(0.8, 0.05, 20)) == {Verdict.faster}


def test_much_noise_is_no_pass() -> None:
    assert set(verdicts(1.0, 0.8, 30)) == {Verdict.noisy}


def test_a_process_pair_is_slower_over_five_percent_and_not_by_chance() -> None:
    assert ratio(1.06, 1.01).is_slower
    assert not ratio(1.05, 1.04).is_slower
    assert not ratio(1.2, 0.99).is_slower


def test_ten_percent_can_be_seen_where_the_lower_bound_is_within_ten_percent() -> None:
    assert ratio(1.0, 0.92).can_tell
    assert not ratio(1.0, 0.90).can_tell
    assert ratio(0.5, 0.47).can_tell, "what got faster is judged by the same relative width"


def test_two_of_three_decide() -> None:
    slow, fine, wide = ratio(1.2, 1.1), ratio(1.0, 0.98), ratio(1.0, 0.5)
    assert verdict([slow, slow, fine]) is Verdict.regression
    assert verdict([slow, slow, wide]) is Verdict.regression
    assert verdict([slow, fine, fine]) is Verdict.passed
    assert verdict([fine, fine, wide]) is Verdict.passed
    assert verdict([fine, wide, wide]) is Verdict.noisy
    assert verdict([slow, wide, wide]) is Verdict.noisy


def test_the_interval_is_seeded_and_covers() -> None:
    pairs = simulated(1.0, 0.1, 0)[0]
    assert ratio_of(pairs, 1) == ratio_of(pairs, 1)
    inside = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        one = ratio_of(Pairs(np.ones(60), generator.lognormal(0, 0.2, 60)), 0)
        inside += one.lower <= 1 <= one.upper
    assert 0.91 <= inside / 200 <= 0.99


def test_what_is_shown_is_the_process_pair_in_the_middle() -> None:
    pairs = [Pairs(np.full(5, 1e6), np.full(5, factor * 1e6)) for factor in (1.3, 1.0, 1.2)]
    result = case_result("case", pairs, 0)
    assert result.ratio.median == pytest.approx(1.2)
    assert result.milliseconds == pytest.approx((1.0, 1.2))


def test_exit_codes() -> None:
    def code(*found: Verdict) -> int:
        return exit_code([CaseResult(str(one), one) for one in found])

    assert code(Verdict.passed, Verdict.faster, Verdict.new) == 0
    assert code(Verdict.noisy, Verdict.passed) == 3
    for failure in (Verdict.regression, Verdict.missing, Verdict.crash):
        assert code(Verdict.passed, Verdict.noisy, failure) == 1


@pytest.mark.parametrize(
    ("kind", "slower"), [("identical", set()), ("plus_10", {"k_center"}), ("plus_20", {"k_center"})]
)
def test_recorded_samples(kind: str, slower: set[str]) -> None:
    recorded = json.loads((RECORDED / f"{kind}.json").read_text())
    for name, process_pairs in recorded.items():
        pairs = [Pairs(np.array(one["base_ns"], float), np.array(one["head_ns"], float)) for one in process_pairs]
        expected = Verdict.regression if name in slower else Verdict.passed
        assert case_result(name, pairs, 0).verdict is expected, name
    assert slower <= set(recorded)
