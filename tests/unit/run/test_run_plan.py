"""The main loop in this process: records, failures, resuming, sharing a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.planning.plan import Plan
from pybench.records import Record
from pybench.results.store import Store
from pybench.types import InputError
from tests.unit.run.running import go


def test_a_record_says_what_was_done(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    records, log = go(make_plan("difference"), tmp_path / "run")
    record = records["lid/difference"]
    assert log.total == 2
    assert record.status == "ok"
    assert record.metrics["pixel_auroc"] is not None
    assert record.metrics["pixel_auroc"] > 0.95
    assert record.counts == {
        "train": 8, "test_normal": 2, "test_anomalous": 4, "unannotated": 0, "regions_lost": 0, "test_labels_read": 6,
    }  # fmt: skip
    assert set(record.timings) == {"fit", "predict", "held_out", "metrics"}
    assert record.started < record.finished
    assert record.by_defect_type["dent"].keys() == {"image_auroc", "pixel_auroc", "aupro_30", "auspro_05"}
    low, high = record.intervals["image_auroc"]
    assert 0 <= low <= record.metrics["image_auroc"] <= high <= 1
    with np.load(next(store_file(tmp_path, record))) as arrays:
        assert arrays["scores"].shape == (6,)


def store_file(tmp_path: Path, record: Record) -> Any:
    assert record.curves is not None
    return (tmp_path / "run").rglob(record.curves)


def test_what_is_spent_under_a_name_of_its_own_is_counted_apart(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    planned = make_plan("spends", extra="latency: null\nprotocol: {threshold_folds: 2}")
    timings = go(planned, tmp_path / "run")[0]["lid/spends"].timings
    assert timings["sharpening"] == 300.0  # the fit and two held-out ones
    assert -100 <= timings["fit"] < 0
    assert -200 <= timings["held_out"] < 0


def test_what_a_method_does_wrong_is_in_its_record_and_the_run_goes_on(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    records, _ = go(make_plan("raising", "nan_scores", "wrong_shape", "difference"), tmp_path / "run")
    reasons = {name.split("/")[1]: record.reason for name, record in records.items() if record.status == "failed"}
    assert reasons == {
        "raising": "ValueError: the lamp is broken",
        "nan_scores": "predict returned NaN or infinity in 1 of 6 values of scores",
        "wrong_shape": "predict returned maps of shape [6, 16, 32]; expected [6, 32, 32]",
    }
    assert "the lamp is broken" in records["lid/raising"].traceback
    assert records["plate/difference"].status == "ok"


def test_without_maps_pixel_metrics_are_null_with_a_reason(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    records, _ = go(make_plan("no_maps"), tmp_path / "run")
    record = records["lid/no_maps"]
    assert record.status == "ok"
    assert record.metrics["image_auroc"] is not None
    assert record.metrics["pixel_auroc"] is None
    assert "map" in record.undefined["pixel_auroc"]


def test_methods_see_the_same_images_and_the_same_seed_gives_the_same_metrics(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    first, _ = go(make_plan("difference", "slow"), tmp_path / "one")
    second, _ = go(make_plan("difference", "slow"), tmp_path / "two")
    assert first["lid/difference"].fingerprint == first["lid/slow"].fingerprint != first["plate/slow"].fingerprint
    assert {name: record.metrics for name, record in first.items()} == {
        name: record.metrics for name, record in second.items()
    }


def test_finished_trials_are_not_run_again_unless_forced_or_the_data_changed(
    make_plan: Callable[..., Plan], tmp_path: Path, data_root: Path
) -> None:
    planned, folder = make_plan("difference", "raising"), tmp_path / "run"
    first, log = go(planned, folder)
    assert len(log.ran) == 4
    second, log = go(planned, folder)
    assert len(log.reused) == 2, "the failed ones are tried again, the others are not"
    assert second["lid/difference"] == first["lid/difference"]
    assert len(list((folder / "attempts").glob("*.json"))) == 2
    image = next((data_root / "lid" / "ok").glob("*.png"))
    image.write_bytes(next((data_root / "plate" / "ok").glob("*.png")).read_bytes())
    third, log = go(planned, folder)
    assert third["lid/difference"].fingerprint != first["lid/difference"].fingerprint
    assert third["plate/difference"] == first["plate/difference"]
    _, log = go(planned, folder, force=True)
    assert not log.reused


def test_a_changed_method_is_run_again(make_plan: Callable[..., Plan], tmp_path: Path, plugins: Path) -> None:
    from pybench.disk import source_hash
    from pybench.trial import code_version

    planned, folder = make_plan("difference"), tmp_path / "run"
    go(planned, folder)
    with (plugins / "methods" / "difference.py").open("a") as file:
        file.write("# changed\n")
    source_hash._file_hash.cache_clear()
    code_version._version.cache_clear()
    _, log = go(planned, folder)
    assert not log.reused


def test_two_runs_in_one_folder_leave_each_others_records_alone(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    go(make_plan("difference", overrides={"seeds": "[1]"}), folder)
    go(make_plan("difference", overrides={"seeds": "[2]"}), folder)
    seeds = sorted(result.record.spec.seed for result in Store(folder).results())
    assert seeds == [1, 1, 2, 2]


def test_latency_is_measured_once_for_each_method_on_its_largest_category(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    planned = make_plan("difference", extra="latency: {calls: 30, seconds: 0.1, processes: 1}")
    _, log = go(planned, tmp_path / "run")
    assert log.measured == ["difference"]
    results = Store(tmp_path / "run").results()
    latencies = {result.latency.key: result.latency for result in results if result.latency}
    assert len(latencies) == 1
    latency = next(iter(latencies.values()))
    assert latency.end_to_end.calls == 30
    assert latency.end_to_end.p50 <= latency.end_to_end.p90 <= latency.end_to_end.p95
    assert latency.end_to_end.p99 is None
    _, log = go(planned, tmp_path / "run")
    assert log.measured == []


def test_held_out_normals_set_a_threshold(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    records, _ = go(make_plan("difference", extra="latency: null\nprotocol: {threshold_folds: 4}"), tmp_path / "run")
    metrics = records["lid/difference"].metrics
    assert metrics["escape_rate"] == 0
    assert metrics["overkill_rate"] is not None
    without, _ = go(make_plan("difference"), tmp_path / "other")
    assert without["lid/difference"].metrics["escape_rate"] is None
    assert "held" in without["lid/difference"].undefined["escape_rate"]


def test_a_one_class_test_set_runs(make_plan: Callable[..., Plan], tmp_path: Path, data_root: Path) -> None:
    for category in ("lid", "plate"):
        folder = data_root / category / "nok" / "dent"
        for file in list(folder.glob("*.png")):
            file.rename(data_root / category / f"gone{file.name}")
        (folder / "0.png").write_bytes(next((data_root / category / "ok").glob("*.png")).read_bytes())
        (data_root / category / "masks" / "dent" / "0.png").unlink()
    planned = make_plan("difference", overrides={"folder.masks": "null", "folder.test_share": "0.01"})
    records, _ = go(planned, tmp_path / "run")
    record = records["lid/difference"]
    assert record.status == "ok"
    assert record.counts["test_normal"] + record.counts["test_anomalous"] >= 1
    assert record.metrics["pixel_auroc"] is None
    assert record.undefined["pixel_auroc"]


def test_a_truncated_image_is_named(make_plan: Callable[..., Plan], tmp_path: Path, data_root: Path) -> None:
    image = sorted((data_root / "lid" / "nok" / "dent").glob("*.png"))[0]
    image.write_bytes(image.read_bytes()[:300])
    records, _ = go(make_plan("difference"), tmp_path / "run")
    assert records["lid/difference"].status == "failed"
    assert str(image) in records["lid/difference"].reason
    assert records["plate/difference"].status == "ok"


def test_missing_data_stops_the_run_before_it_starts(
    make_plan: Callable[..., Plan], tmp_path: Path, data_root: Path
) -> None:
    planned = make_plan("difference")
    (data_root / "plate" / "ok").rename(data_root / "plate" / "elsewhere")
    with pytest.raises(InputError, match="plate/ok"):
        go(planned, tmp_path / "run")
    assert not list(tmp_path.glob("run/**/*.json"))


def test_a_setting_that_cannot_be_used_is_an_error_before_anything_runs(
    make_plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "much")
    with pytest.raises(InputError, match="PYBENCH_FEATURE_CACHE_GB: expected a number of gigabytes"):
        go(make_plan("difference"), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.json"))
