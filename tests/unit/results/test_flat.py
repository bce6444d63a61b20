"""Results as plain data: JSON objects, flat rows and filters."""

from __future__ import annotations

import json
import math

import pytest

from pybench.report.export import to_csv
from pybench.results import flat
from pybench.spec import RtoOptions
from pybench.types import InputError
from tests.unit.results.measured import FAILED, METRICS, result


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
