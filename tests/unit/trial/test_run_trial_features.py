"""Trials that stand on the same frozen backbone share its features; their results are those of trials that do not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from pybench.backbones import feature_cache
from pybench.images.loading import fingerprint
from pybench.latency import measure
from pybench.planning.plan import plan
from pybench.planning.suite import LatencyProtocol, load_suite
from pybench.records import Latency, Outcome
from pybench.spec import TrialSpec
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial
from pybench.trial.samples import load_samples

IMAGES = 14  # of the category: 8 to fit on, 6 to test on
HETMM = "hetmm\n    params: {before_relu: false, windows: [3, 3]}"


@pytest.fixture
def jobs(
    data_root: Path, write_suite: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Job]:
    """Three methods on one category and one backbone; two seeds of those whose result depends on it."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "weights.pt"
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), weights)
    suite = write_suite("padim", "patchcore", HETMM, categories="[lid]", extra="latency: null\nseeds: [0, 1]")
    overrides = {
        "params.backbone": "resnet18",
        "params.weights": str(weights),
        "params.layers": "[2, 3]",
        "params.image_size": "64",
        "params.crop_size": "null",
        "protocol.threshold_folds": "2",
    }
    planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root, overrides=overrides)
    assert len(planned.specs) == 5
    return [_job(spec, data_root) for spec in planned.specs]


def _job(spec: TrialSpec, root: Path) -> Job:
    samples = load_samples(spec, root)
    return Job(spec, root, (), fingerprint([*samples.train, *samples.test]), "", {})


def test_features_are_extracted_once_and_no_result_shows_it(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "1")
    shared = [run_trial(job) for job in jobs]
    assert [outcome.record.reason for outcome in shared] == [""] * len(jobs)
    counts = [outcome.record.provenance["features"] for outcome in shared]
    assert [count["extracted"] for count in counts] == [IMAGES, 0, 0, 0, 0]
    # Every trial asks for each image once, and for those to fit on once more in each of two folds.
    assert all(count["extracted"] + count["found"] == IMAGES + 2 * 8 for count in counts)
    assert all(outcome.record.timings["feature_cache"] > 0 for outcome in shared)
    assert shared[0].record.timings["features"] > 0
    assert all(outcome.record.timings["features"] == 0 for outcome in shared[1:])

    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "0")
    for job, outcome in zip(jobs, shared, strict=True):
        alone = run_trial(job)
        assert "features" not in alone.record.provenance
        assert "features" not in alone.record.timings
        _assert_same_result(outcome, alone)


def _assert_same_result(one: Outcome, other: Outcome) -> None:
    for field in ("metrics", "undefined", "by_defect_type", "intervals", "counts", "remarks"):
        assert getattr(one.record, field) == getattr(other.record, field), field
    assert one.arrays.keys() == other.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, other.arrays[name], err_msg=name)


def test_a_latency_never_comes_from_the_cache(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a file says that it was used now: the trial's are as old afterwards as they were made to be."""
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "1")
    monkeypatch.setenv("PYBENCH_FITTED_GB", "1")
    assert run_trial(replace(jobs[0], keeps_state=True)).record.status == "ok"
    kept = list(feature_cache.FOLDER.path.glob("*.npy"))
    for file in kept:
        os.utime(file, (1, 1))
    measured = measure.measure(jobs[0], LatencyProtocol(calls=30, seconds=0.1, processes=1, batch_sizes=()))
    assert isinstance(measured, Latency), measured.reason
    assert measured.manifest["state"] == "kept by its trial"
    assert measured.predict.calls >= 30
    assert {file.stat().st_mtime for file in kept} == {1.0}


def test_features_that_are_cheap_are_not_kept(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "1")
    spec = jobs[0].spec
    params = {**spec.params, "backbone": "filter_bank", "weights": "none"}
    job = _job(spec.model_copy(update={"params": params}), jobs[0].data_root or Path())
    record = run_trial(job).record
    assert record.status == "ok", record.reason
    assert "features" not in record.provenance
