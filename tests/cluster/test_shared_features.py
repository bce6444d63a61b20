"""Trials that run beside each other on a machine extract each image's features once between them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pybench.executors.ray import RayExecutor
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.run_plan import run
from tests.cluster.listeners import Quiet


def test_workers_share_what_they_extract(
    data_root: Path, write_suite: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "1")
    overrides = {
        "params.backbone": "resnet18",
        "params.weights": "random",
        "params.layers": "[2, 3]",
        "params.image_size": "64",
        "params.crop_size": "null",
    }
    suite = load_suite(str(write_suite("padim", "patchcore", categories="[lid]")))
    planned = plan(*suite, profile="paper", data_root=data_root, overrides=overrides)
    with closing(RayExecutor(None)) as executor:
        results = run(planned, Store(tmp_path / "run"), executor, force=False, listener=Quiet())
    assert [result.record.status for result in results] == ["ok", "ok"]
    counts = [result.record.provenance["features"] for result in results]
    assert sum(count["extracted"] for count in counts) == 14
    assert sum(count["found"] for count in counts) == 14
