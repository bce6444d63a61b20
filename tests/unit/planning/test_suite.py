"""Suites: strict files, messages that name file, line and key, and the trials they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite, on_other_datasets, suite_names
from pybench.report.summary import columns_of
from pybench.spec import TrialSpec
from pybench.types import InputError

GOOD = """\
name: mine
title: My suite
datasets:
  - name: mvtec_ad
    categories: [bottle, cable]
methods:
  - name: padim
    params: {backbone: resnet18}
    grid: {dimensions: [50, 100]}
profiles:
  quick:
    methods:
      padim: {weights: random}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def read(text: str) -> Any:
        file = tmp_path / "mine.yaml"
        file.write_text(text)
        return load_suite(str(file))

    return read


def planned(suite: Any, **options: Any) -> Plan:
    return plan(*suite, **{"profile": "quick", **options})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: My", "titel: My", "mine.yaml:2: titel: unknown key 'titel'; did you mean 'title'?"),
        ("    grid:", "    gird:", "mine.yaml:9: methods[0].gird: unknown key 'gird'; did you mean 'grid'?"),
        ("title: My suite", "name: other", "mine.yaml:2: duplicate key 'name'; it stands already on line 1"),
        ("name: padim", "name: padmi", "mine.yaml:7: methods[0].name: unknown method 'padmi'; did you mean 'padim'?"),
        ("name: mvtec_ad", "name: mvtec", "mine.yaml:4: datasets[0].name: unknown dataset 'mvtec'"),
        ("bottle, cable", "botle", "mine.yaml:5: datasets[0].categories[0]: unknown category of mvtec_ad 'botle'"),
        ("      padim:", "      patchcore:", "mine.yaml:13: profiles.quick.methods.patchcore: unknown method"),
        ("title: My suite", "title: [1, 2]", "mine.yaml:2: title: Input should be a valid string"),
        ("title: My suite", "title: 'open", "mine.yaml:"),
        ("[bottle, cable]", "[bottle, 3]", "mine.yaml:5: datasets[0].categories[1]: Input should be a valid string"),
        ("title: My suite", "title: 2020-01-01", "mine.yaml:2: title: a date is not used here; quote it"),
        ("profiles:", "resources: {threads: many}\nprofiles:", "mine.yaml:10: resources.threads: Input should"),
        ("name: mine", "name: My Suite", "mine.yaml:1: name: String should match"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_suite_is_named(read: Callable[..., Any], old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as error:
        read(GOOD.replace(old, new, 1))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "backbone: resnet18",
            "bakbone: resnet18",
            "mine.yaml:8: methods[0].params.bakbone: unknown key 'bakbone'; did you mean 'backbone'?",
        ),
        (
            "[50, 100]",
            "[50, 0]",
            "mine.yaml:9: methods[0].grid.dimensions: Input should be greater than or equal to 1 (given: 0)",
        ),
        (
            "weights: random",
            "weights: 3",
            "mine.yaml:13: profiles.quick.methods.padim.weights: Input should be a valid string",
        ),
        (
            "weights: random",
            "dimensions: 2.5",
            "mine.yaml:13: profiles.quick.methods.padim.dimensions: Input should be a valid int",
        ),
    ],
)
def test_what_is_wrong_in_parameters_is_named(read: Callable[..., Any], old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(read(GOOD.replace(old, new, 1)))
    assert message in str(error.value)


def test_a_suite_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'mvtec_rto'"):
        load_suite("mvtec_rot")


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


def test_overrides_have_the_last_word(read: Callable[..., Any]) -> None:
    overrides = {
        "padim.dimensions": "7", "params.image_size": "128", "seeds": "[0, 1]", "protocol.evaluate_at": "image",
        "resources.threads": "2", "mvtec_ad_standin.train": "5",
    }  # fmt: skip
    specs = planned(read(GOOD), overrides=overrides).specs
    assert len(specs) == 4, "the grid is replaced, two seeds are run"
    first = specs[0]
    assert (first.params["dimensions"], first.params["image_size"], specs[1].seed) == (7, 128, 1)
    assert (first.protocol.evaluate_at, first.resources.threads, first.dataset_options["train"]) == ("image", 2, 5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"padim.dimension": "3"}, "--set padim.dimension"),
        ({"params.wieghts": "random"}, "did you mean 'params.weights'"),
        ({"hetmm.alpha": "0.5"}, "--set hetmm.alpha: unknown key"),
        ({"seeds": "zero"}, "expected a whole number or a list of them"),
        ({"protocol.evaluate_at": "somewhere"}, "protocol.evaluate_at: Input should be 'input' or 'image'"),
        ({"latency": "3"}, "--set latency=3: expected null, which leaves it out, or latency.KEY=VALUE"),
        ({"protocol": "null"}, "--set protocol: unknown key"),
        ({"padim.weights": "[1]"}, "padim.weights: Input should be a valid string"),
    ],
)
def test_wrong_overrides_are_refused(read: Callable[..., Any], overrides: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(read(GOOD), overrides=overrides)
    assert message in str(error.value)


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


def test_a_method_without_randomness_runs_one_seed(tmp_path: Path) -> None:
    suite = load_suite("mvtec_ad")
    options: dict[str, Any] = {"filters": {"category": "bottle", "method": "hetmm"}, "data_root": tmp_path}
    trained = plan(*suite, profile="paper", overrides={"seeds": "[0, 1, 2]"}, **options)
    random = {"seeds": "[0, 1, 2]", "params.weights": "random"}
    untrained = plan(*suite, profile="quick", overrides=random, **options)
    assert len(untrained.specs) == 3 * len(trained.specs)
    assert {spec.seed for spec in trained.specs} == {0}


def test_keys_depend_on_what_results_depend_on(read: Callable[..., Any]) -> None:
    spec = planned(read(GOOD)).specs[0]
    assert spec.key() == TrialSpec.model_validate_json(spec.model_dump_json()).key()
    assert spec.key() == spec.model_copy(update={"suite": "other"}).key()
    for change in ({"seed": 1}, {"profile": "smoke"}, {"params": {**spec.params, "dimensions": 3}}, {"data_seed": 4}):
        assert spec.key() != spec.model_copy(update=change).key()


def test_the_registry_names_the_nearest_and_reports_a_broken_file(tmp_path: Path) -> None:
    assert {"hetmm", "padim", "patchcore"} <= set(registry.names("method"))
    with pytest.raises(InputError, match="did you mean 'patchcore'"):
        registry.load("method", "patch_core")
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "methods" / "empty.py").write_text("")
    registry.add_plugins(tmp_path)
    with pytest.raises(InputError, match="'broken' cannot be imported: ModuleNotFoundError"):
        registry.load("method", "broken")
    with pytest.raises(InputError, match="expected one Method class named 'empty'"):
        registry.load("method", "empty")
    with pytest.raises(InputError, match="no plug-ins here"):
        registry.add_plugins(tmp_path / "methods")


def test_a_label_names_the_column_and_is_no_part_of_the_key(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path]
) -> None:
    registry.add_plugins(plugins)
    plain = plan(*load_suite(str(write_suite("slow"))), profile="paper", data_root=data_root)
    file = write_suite("slow")
    file.write_text(file.read_text().replace("- name: slow", "- name: slow\n    label: (i) as it is"))
    labelled = plan(*load_suite(str(file)), profile="paper", data_root=data_root)
    assert [spec.key() for spec in labelled.specs] == [spec.key() for spec in plain.specs]
    assert [column.label for column in columns_of(labelled.specs)] == ["slow (i) as it is"]


def test_columns_stand_by_label_and_then_by_what_differs(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path]
) -> None:
    registry.add_plugins(plugins)
    file = write_suite("slow")
    entries = [
        "- name: slow\n    label: b",
        "- name: slow\n    label: a\n    grid: {image_size: [128, 48, 64]}",
    ]
    file.write_text(file.read_text().replace("- name: slow", "\n  ".join(entries)))
    specs = plan(*load_suite(str(file)), profile="paper", data_root=data_root).specs
    assert [column.detail for column in columns_of(specs)] == [
        "a image_size=48", "a image_size=64", "a image_size=128", "b",
    ]  # fmt: skip


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
