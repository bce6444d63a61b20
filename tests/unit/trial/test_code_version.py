"""What a record's code version covers: each file of the rooms that a trial runs, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pybench
from pybench import registry
from pybench.disk import source_hash as hashing_of_sources
from pybench.disk.source_hash import Modules, installed_modules, modules_in, source_hash
from pybench.spec import Protocol, Resources, TrialSpec
from pybench.trial.code_version import code_version, trial_sources

ROOMS = {"machine", "disk", "images", "ops", "datasets", "metrics", "training", "backbones", "trial", "methods"}
ROOT = {"types", "spec", "records", "registry", "hashing", "stages", "public", "planning", "planning.strict_yaml"}
# Files of these rooms that no trial imports, and who does.
OF_OTHERS = {
    "machine.clocks": "the measurement of latency",
    "machine.cpu_times": "the measurement of latency",
    "images.float16_tiff": "the submission of maps",
    "machine.machine_lock": "executors, which take the lock around a trial",
    "datasets.standin.sheet": "the CLI, which draws a contact sheet",
    "trial.code_version": "the run and the executors, which compare records by it",
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Modules:
    """A copy of pybench's sources whose files can be changed, and the installed native modules."""
    folder = tmp_path_factory.mktemp("sources")
    package = Path(str(pybench.__file__)).parent
    methods = installed_modules()["pybench.methods"].parent
    ignore = shutil.ignore_patterns("__pycache__", "methods", "*.so")
    shutil.copytree(package, folder / "pybench", ignore=ignore)
    shutil.copytree(methods, folder / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    native = {name: file for name, file in installed_modules().items() if file.suffix != ".py"}
    return {
        **modules_in("pybench", folder / "pybench"),
        **modules_in("pybench.methods", folder / "methods"),
        **native,
    }


def trials(modules: Modules) -> dict[str, frozenset[Path]]:
    """The sources of a trial with each method, each dataset, each metric, and on a validation set."""

    def sources(
        method: str = "hetmm", dataset: str = "folder", metric: str = "image_ap", **given: bool
    ) -> frozenset[Path]:
        names = (f"methods.{method}", f"datasets.{dataset}", f"metrics.{metric}")
        return trial_sources([modules[f"pybench.{name}"] for name in names], modules, **given)

    return {
        **{f"methods.{name}": sources(method=name) for name in registry.names("method")},
        **{f"datasets.{name}": sources(dataset=name) for name in registry.names("dataset")},
        **{f"metrics.{name}": sources(metric=name) for name in registry.names("metric")},
        "validation": sources(on_validation=True),
    }


@pytest.fixture(scope="module")
def changed(copied: Modules) -> dict[str, set[str]]:
    """For each module: the trials whose version is another one when its file is changed."""
    sources = trials(copied)

    def versions() -> dict[str, str]:
        hashing_of_sources._file_hash.cache_clear()
        return {trial: source_hash(files) for trial, files in sources.items()}

    before, found = versions(), {}
    for name, file in copied.items():
        if file.suffix == ".py":
            content = file.read_bytes()
            file.write_bytes(content + b"\nchanged = True\n")
            after = versions()
            file.write_bytes(content)
            found[name.removeprefix("pybench.")] = {trial for trial in before if after[trial] != before[trial]}
    assert versions() == before
    return found


def test_each_file_that_a_trial_runs_changes_its_version_and_no_other_does(changed: dict[str, set[str]]) -> None:
    for name, of in changed.items():
        room = name.split(".")[0]
        runs = room in ROOMS or name in ROOT
        assert bool(of) == (runs and name not in OF_OTHERS), f"{name} changes {sorted(of) or 'no trial'}"


def test_a_change_concerns_the_trials_that_run_it(changed: dict[str, set[str]]) -> None:
    everyone = changed["trial.run_trial"]
    assert len(everyone) > 30
    for name in ("images.geometry", "images.loading", "metrics.pixel_auroc", "ops.dispatch", "trial.samples", "types"):
        assert changed[name] == everyone, name
    assert changed["methods.padim"] == {"methods.padim"}
    assert changed["methods.networks.ndp_net_attention"] == {"methods.ndp_net"}
    assert changed["datasets.mvtec_ad"] == {
        f"datasets.{name}" for name in ("mvtec_ad", "mvtec_ad_standin", "mvtec_sl", "mvtec_sl_standin")
    }
    assert changed["datasets.standin.pill"] == {"datasets.mvtec_ad_standin", "datasets.mvtec_sl_standin"}
    assert changed["metrics.pixel_iou_max"] == {"metrics.pixel_iou_max"}
    assert changed["trial.validation"] == {"validation"}


def spec(**given: object) -> TrialSpec:
    return TrialSpec(
        **{
            "suite": "s", "profile": "quick", "dataset": "folder", "category": "lid", "method": "padim",
            "label": "padim", "data_seed": 0, "seed": 0, "params": {}, "metrics": ("image_auroc",),
            "protocol": Protocol(), "resources": Resources(), "dataset_options": {}, "rto": None, **given,
        }
    )  # fmt: skip


def test_the_version_of_a_spec() -> None:
    version = code_version(spec())
    assert len(version) == 16
    assert code_version(spec(seed=3, category="nut")) == version
    assert code_version(spec(method="patchcore")) != version
    assert code_version(spec(dataset="visa")) != version
    assert code_version(spec(metrics=("image_auroc", "image_f1_max"))) != version
    assert code_version(spec(evaluate_on="validation")) != version
    assert code_version(spec(evaluate_on="oracle")) == version
