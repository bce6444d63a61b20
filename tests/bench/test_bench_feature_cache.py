"""A trial whose features are found in the cache, or extracted and kept, beside one without a cache."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench.images.loading import fingerprint
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial
from pybench.trial.samples import load_samples


@pytest.mark.parametrize("backbone", ["resnet18", "wide_resnet50_2"])
@pytest.mark.parametrize("how", ["cold", "warm"])
def test_patchcore(
    compare: Callable[..., None],
    benchmark: Any,
    write_suite: Callable[..., Path],
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backbone: str,
    how: str,
) -> None:
    """A category of 14 images, with two folds to set a threshold: each of 8 goes through the backbone three times."""
    overrides = {"params.backbone": backbone, "params.weights": "random", "protocol.threshold_folds": "2"}
    suite = load_suite(str(write_suite("patchcore", categories="[lid]")))
    spec = plan(*suite, profile="paper", data_root=data_root, overrides=overrides).specs[0]
    samples = load_samples(spec, data_root)
    job = Job(spec, data_root, (), fingerprint([*samples.train, *samples.test]), "", {})
    numbers = itertools.count()

    def trial(gigabytes: str, folder: str) -> None:
        monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", gigabytes)
        monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / folder))
        record = run_trial(job).record
        assert record.status == "ok", record.reason
        if gigabytes != "0":
            benchmark.extra_info["cache_ms"] = 1000 * record.timings["feature_cache"]

    trial("1", "warm")
    compare(
        op="feature cache",
        case=f"{how}, PatchCore on {backbone}",
        ours=lambda: trial("1", "warm" if how == "warm" else f"cold{next(numbers)}"),
        baselines={"no cache": lambda: trial("0", "none")},
        threads=1,
        once=True,
    )
