"""Suites: what is wrong in one is named with file, line and key; profiles and other datasets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite, on_other_datasets
from pybench.types import InputError
from tests.unit.planning.suites import GOOD


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: My", "titel: My", "mine.yaml:2: titel: unknown key 'titel'; did you mean 'title'?"),
        ("    grid:", "    gird:", "mine.yaml:9: methods[0].gird: unknown key 'gird'; did you mean 'grid'?"),
        ("name: padim", "name: padmi", "mine.yaml:7: methods[0].name: unknown method 'padmi'; did you mean 'padim'?"),
        ("name: mvtec_ad", "name: mvtec", "mine.yaml:4: datasets[0].name: unknown dataset 'mvtec'"),
        ("bottle, cable", "botle", "mine.yaml:5: datasets[0].categories[0]: unknown category of mvtec_ad 'botle'"),
        ("      padim:", "      patchcore:", "mine.yaml:13: profiles.quick.methods.patchcore: unknown method"),
        ("title: My suite", "title: [1, 2]", "mine.yaml:2: title: Input should be a valid string"),
        ("[bottle, cable]", "[bottle, 3]", "mine.yaml:5: datasets[0].categories[1]: Input should be a valid string"),
        ("profiles:", "resources: {threads: many}\nprofiles:", "mine.yaml:10: resources.threads: Input should"),
        ("profiles:", "resources: {threads: 0}\nprofiles:", "or: Input should be greater than or equal to 1"),
        ("profiles:", "limits: {gpus: .inf}\nprofiles:", "mine.yaml:10: limits.gpus: inf GPUs cannot be shared out"),
        ("profiles:", "limits: {memory_gb: .inf}\nprofiles:", "limits.memory_gb: Input should be a finite number"),
        ("[50, 100]", "[]", "mine.yaml:9: methods[0].grid.dimensions: Tuple should have at least 1 item"),
        ("  quick:", "  quick:\n    seeds: []", "profiles.quick.seeds: Tuple should have at least 1"),
        ("profiles:", "seeds: [0, -1]\nprofiles:", "mine.yaml:10: seeds[1]: Input should be greater than or equal"),
        ("  quick:", "  quick:\n    seeds: [-1]", "mine.yaml:12: profiles.quick.seeds[0]: Input should be"),
        ("name: mine", "name: My Suite", "mine.yaml:1: name: String should match"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_suite_is_named(read: Callable[..., Any], old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as error:
        read(GOOD.replace(old, new, 1))
    assert message in str(error.value)


def test_a_suite_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'mvtec_rto'"):
        load_suite("mvtec_rot")


def test_a_profile_may_keep_some_categories(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> None:
    registry.add_plugins(plugins)
    extra = "latency: null\nprofiles: {quick: {categories: {folder: [plate]}}}"
    suite = load_suite(str(write_suite("slow", extra=extra)))
    assert {spec.category for spec in plan(*suite, profile="quick", data_root=data_root).specs} == {"plate"}
    assert {spec.category for spec in plan(*suite, profile="paper", data_root=data_root).specs} == {"lid", "plate"}
    extra = "latency: null\nprofiles: {quick: {categories: {mtd: [plate]}}}"
    with pytest.raises(InputError, match=r"tiny\.yaml:10: .*unknown dataset of this suite 'mtd'"):
        load_suite(str(write_suite("slow", extra=extra)))
    extra = "latency: null\ndatasets: [{name: mvtec_ad}]\nprofiles: {quick: {categories: {mvtec_ad: [botle]}}}"
    file = write_suite("slow")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], *lines[6:8], extra]))
    with pytest.raises(InputError, match="did you mean 'bottle'"):
        load_suite(str(file))


def test_a_suite_runs_on_other_datasets(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> None:
    registry.add_plugins(plugins)
    suite, document = load_suite(str(write_suite("slow")))
    other = on_other_datasets(suite, ["mvtec_ad:bottle,carpet", "magnetic_tile"])
    specs = plan(other, document, profile="paper", data_root=data_root).specs
    assert [(spec.dataset, spec.category) for spec in specs] == [
        ("mvtec_ad", "bottle"), ("mvtec_ad", "carpet"), ("magnetic_tile", "magnetic_tile"),
    ]  # fmt: skip
    for text, message in (
        ("mvtec_da", "--dataset mvtec_da: unknown dataset 'mvtec_da'; did you mean 'mvtec_ad'"),
        ("mvtec_ad:botle", "--dataset mvtec_ad:botle: unknown category of mvtec_ad 'botle'; did you mean 'bottle'"),
        ("folder", "--dataset folder: folder has no categories of its own; name yours"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            on_other_datasets(suite, [text])
