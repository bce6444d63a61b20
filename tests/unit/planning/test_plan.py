"""From a suite to its trials: profiles, stand-ins, seeds, filters and the notes for the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench.planning.plan import plan
from pybench.planning.suite import load_suite, suite_names
from pybench.types import InputError
from tests.unit.planning.suites import GOOD, planned


def test_every_shipped_suite_plans_in_every_profile(tmp_path: Path) -> None:
    assert {"mvtec_rto", "mvtec_ad", "mtd", "smoke"} <= set(suite_names())
    for name in suite_names():
        suite, document = load_suite(name)
        assert suite.name == name
        for profile in ("paper", *suite.profiles):
            trials = plan(suite, document, profile=profile, data_root=tmp_path).specs
            assert {spec.profile for spec in trials} == {profile}
            assert len({spec.key() for spec in trials}) == len(trials)


def test_trials_go_category_by_category_over_the_grid(read: Callable[..., Any]) -> None:
    specs = planned(read(GOOD)).specs
    assert [(spec.category, spec.params["dimensions"]) for spec in specs] == [
        ("bottle", 50), ("bottle", 100), ("cable", 50), ("cable", 100),
    ]  # fmt: skip
    assert {spec.dataset for spec in specs} == {"mvtec_ad_standin"}, "no data root: the stand-in, under its own name"
    assert {spec.params["weights"] for spec in specs} == {"random"}


def test_a_data_root_takes_the_real_data(read: Callable[..., Any], tmp_path: Path) -> None:
    assert {spec.dataset for spec in planned(read(GOOD), data_root=tmp_path).specs} == {"mvtec_ad"}
    with pytest.raises(InputError, match="no data root given"):
        plan(*load_suite("mtd"), profile="quick")


def test_what_was_chosen_for_the_user_is_said(read: Callable[..., Any]) -> None:
    chosen = plan(*read(GOOD))
    assert chosen.profile == "quick"
    assert plan(*read(GOOD.replace("quick:", "smoke:"))).profile == "paper", "there is no quick one"
    notes = "\n".join(chosen.notes)
    assert "profile: quick" in notes
    assert "stand-in" in notes
    assert "weights: random" in notes


def test_latency_can_be_left_out(read: Callable[..., Any]) -> None:
    assert planned(read(GOOD)).latency is not None
    assert planned(read(GOOD), overrides={"latency": "null"}).latency is None


def test_filters_keep_and_refuse(read: Callable[..., Any]) -> None:
    assert {spec.category for spec in planned(read(GOOD), filters={"category": "cable"}).specs} == {"cable"}
    assert len(planned(read(GOOD), filters={"category": "cable,bottle", "seed": "0"}).specs) == 4
    for filters, message in [
        ({"category": "botle"}, "did you mean 'bottle'"),
        ({"categorie": "bottle"}, "did you mean 'category'"),
    ]:
        with pytest.raises(InputError, match=message):
            planned(read(GOOD), filters=filters)
    elsewhere = GOOD.replace("  quick:", "  quick:\n    categories: {mvtec_ad: [carpet]}")
    with pytest.raises(InputError, match="no trial is left to run"):
        planned(read(elsewhere))


def test_a_method_without_randomness_runs_one_seed(tmp_path: Path) -> None:
    suite = load_suite("mvtec_ad")
    options: dict[str, Any] = {"filters": {"category": "bottle", "method": "hetmm"}, "data_root": tmp_path}
    trained = plan(*suite, profile="paper", overrides={"seeds": "[0, 1, 2]"}, **options)
    random = {"seeds": "[0, 1, 2]", "params.weights": "random"}
    untrained = plan(*suite, profile="quick", overrides=random, **options)
    assert len(untrained.specs) == 3 * len(trained.specs)
    assert {spec.seed for spec in trained.specs} == {0}
