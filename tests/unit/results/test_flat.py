"""Results as plain data: JSON objects, flat rows, filters and exported files."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from pybench.records import Latency, Record, Resources, Result, RtoOptions, Timing, TrialSpec
from pybench.report.export import to_csv, write_table
from pybench.results import flat
from pybench.types import InputError

METRICS = (
    *("image_auroc", "image_ap", "image_f1_max"),
    *("pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_iou_max"),
    *("aupro_30", "aupro_05"),
)


def result(method: str, *, measured: bool = True, **changes: Any) -> Result:
    spec = TrialSpec(
        suite="a_suite", dataset="tiles", category="lid", method=method, profile="quick", metrics=METRICS,
        params=changes.pop("params", {"k": 1, "layers": [1, 2]}), rto=changes.pop("rto", None),
    )  # fmt: skip
    values = {"status": "ok", "metrics": {**dict.fromkeys(METRICS, 0.5), "aupro_05": None}, **changes}
    record = Record(key=spec.key(), spec=spec, **values)
    timing = Timing(calls=128, p50=10, p90=11, p95=12, p99=None, intervals={"p50": (9.5, 10.5)})
    latency = Latency(
        key="l", dataset="tiles", category="lid", method=method, params=spec.params, resources=Resources(),
        profile="quick", image_height=8, image_width=8, end_to_end=timing, predict=timing, first_call_ms=50,
        peak_memory_mb=100, flags=("busy",), manifest={"cpu": "one"}, code_version="c", finished="f",
    )  # fmt: skip
    return Result(record, latency if measured else None)


FAILED = result("b", measured=False, status="failed", reason="no", metrics={}, params={"alpha": 0.5}, traceback="long")


def test_object_has_what_the_command_promises() -> None:
    made = flat.trial_object(result("a"))
    assert {"status", "reason", "dataset", "category", "method", "params", "seed", "profile"} <= set(made)
    assert made["key"] == result("a").record.spec.key()
    assert set(made["metrics"]) == set(METRICS)
    assert made["metrics"]["aupro_05"] is None
    assert made["latency"]["p50_ms"] == 10
    assert made["latency"]["p99_ms"] is None
    assert made["latency"]["predict_p95_ms"] == 12
    assert made["latency"]["p50_interval_ms"] == [9.5, 10.5]


def test_failed_trial_has_all_metrics_as_null_and_no_latency() -> None:
    made = flat.trial_object(FAILED)
    assert made["metrics"] == dict.fromkeys(METRICS)
    assert made["latency"] is None
    assert (made["status"], made["reason"]) == ("failed", "no")


def test_json_is_strict() -> None:
    assert json.loads(flat.to_json([flat.trial_object(result("a"))]))[0]["method"] == "a"
    with pytest.raises(ValueError, match="not JSON compliant"):
        flat.to_json({"value": math.nan})


def test_rows_have_the_same_flat_columns() -> None:
    rows = flat.rows([result("a"), FAILED, result("c", rto=RtoOptions(rotation=15, crop=0.9))])
    assert len({tuple(row) for row in rows}) == 1
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
    first, failed, third = rows
    assert (first["metrics.image_auroc"], first["params.layers"], first["latency.p50_ms"]) == (0.5, "[1, 2]", 10)
    assert (failed["metrics.image_auroc"], failed["params.k"], failed["latency.p50_ms"]) == (None, None, None)
    assert (first["rto.rotation"], third["rto.rotation"]) == (None, 15)
    assert "latency" not in first
    assert "rto" not in first


def test_rows_of_nothing() -> None:
    assert flat.rows([]) == []
    assert to_csv([]) == "\n"


def test_filtered_by_column_parameter_and_several_values() -> None:
    results = [result("a"), FAILED, result("c", params={"k": 2})]
    assert flat.filtered(results, {"method": "a,c", "k": "2"}) == [results[2]]
    assert flat.filtered(results, {"status": "failed"}) == [FAILED]
    assert flat.filtered(results, {"params.alpha": "0.5"}) == [FAILED]
    assert flat.filtered(results, {}) == results


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"mehtod": "a"}, "unknown column 'mehtod'; did you mean 'method'"),
        ({"category": "lidd"}, "--filter category=lidd: unknown category 'lidd'; did you mean 'lid'"),
        ({"method": "a", "status": "failed"}, "leave no trial"),
    ],
)
def test_filtered_says_what_is_wrong(filters: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        flat.filtered([result("a"), FAILED], filters)


def test_csv_reads_back() -> None:
    rows = flat.rows([result("a"), FAILED])
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [line["method"] for line in read] == ["a", "b"]
    assert read[0]["params.layers"] == "[1, 2]"
    assert read[1]["metrics.image_auroc"] == ""


def test_parquet_reads_back_with_types(tmp_path: Path) -> None:
    import pandas

    rows = flat.rows([result("a", params={"k": 1, "crop": None}), result("b", params={"k": "all"}), FAILED])
    write_table(rows, tmp_path / "new" / "table.parquet")
    frame = pandas.read_parquet(tmp_path / "new" / "table.parquet")
    assert list(frame.columns) == list(rows[0])
    assert frame["metrics.image_auroc"].tolist()[:2] == [0.5, 0.5]
    assert frame["params.k"].tolist()[:2] == ["1", "all"]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["table.parquet"]


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    write_table([{"a": 1}], file)
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_table([{"a": 1}, {"b": 2}], file)
    assert file.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [file]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.parquet or \.csv"):
        write_table([], tmp_path / "table.xlsx")
