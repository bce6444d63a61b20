"""Results as plain data: one nested object per trial, and the same object as one flat row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pybench.records import Latency, Result
from pybench.registry import unknown
from pybench.types import InputError

# Nested per defect type, or long: they stay in the record and in the JSON, and out of the flat table.
_NOT_FLAT = ("by_defect_type", "intervals", "remarks", "traceback")


def trial_object(result: Result) -> dict[str, Any]:
    """One trial as JSON-ready data: what was run, what came out, its latency (or None), where it came from."""
    record, spec = result.record, result.record.spec
    files = {"curves", "examples"}  # they lie beside the record
    data = record.model_dump(mode="json", exclude={"spec", "schema_version", "metrics", "status", "reason", *files})
    described = spec.model_dump(mode="json", exclude={"metrics"})
    return {
        "status": record.status,
        "reason": record.reason,
        **described,
        "key": data.pop("key"),
        "metrics": dict.fromkeys(spec.metrics) | record.metrics,
        "latency": latency_object(result.latency) if result.latency else None,
        "latency_failure": result.latency_failure.reason if result.latency_failure else None,
        **data,
    }


def latency_object(latency: Latency) -> dict[str, Any]:
    """Batch-1 latency in milliseconds: ``p50_ms`` is end to end, ``predict_p50_ms`` the call alone."""
    data: dict[str, Any] = {}
    timings = {"": latency.end_to_end, "predict_": latency.predict, "one_thread_": latency.one_thread}
    for prefix, timing in timings.items():
        if timing is None:
            continue
        data |= {f"{prefix}{name}_ms": getattr(timing, name) for name in ("p50", "p90", "p95", "p99")}
        data[f"{prefix}calls"] = timing.calls
        data |= {f"{prefix}{name}_interval_ms": list(limits) for name, limits in timing.intervals.items()}
    return data | {
        "images_per_second": {str(one.batch_size): one.images_per_second for one in latency.throughput},
        "stages_ms": latency.stages,
        "stages_missing": latency.missing_share,
        "processes_p50_ms": [process.p50 for process in latency.processes],
        "load_ms": latency.load_ms,
        "first_call_ms": latency.first_call_ms,
        "peak_memory_mb": latency.peak_memory_mb,
        "peak_device_memory_mb": latency.peak_device_memory_mb,
        "category": latency.category,
        "image_height": latency.image_height,
        "image_width": latency.image_width,
        "flags": list(latency.flags),
        "manifest": latency.manifest,
        "finished": latency.finished,
        "key": latency.key,
    }


def rows(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One flat row per trial, with columns such as ``metrics.image_auroc``, ``params.image_size``, ``latency.p50_ms``.

    Every row has the same columns, in the same order; what a trial lacks is None. Lists are given as JSON text.
    """
    trials = map(trial_object, results)
    return table([{name: value for name, value in trial.items() if name not in _NOT_FLAT} for trial in trials])


def table(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Nested objects as flat rows of equal columns, whose names have dots."""
    flat = [flatten(one) for one in objects]
    present = {name for row in flat for name in row}
    # A group such as `latency` is None in one trial and several columns in another.
    columns = [name for row in flat for name in row if not any(other.startswith(f"{name}.") for other in present)]
    ordered = _grouped(dict.fromkeys(columns))
    return [{name: row.get(name) for name in ordered} for row in flat]


def to_json(value: Any) -> str:
    """Strict JSON, indented; a NaN or an infinity would be a bug and raises ValueError."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def filtered(results: Sequence[Result], filters: Mapping[str, str]) -> list[Result]:
    """The results whose flat row has, in every column named, one of the values given (separated by commas).

    A parameter or metric may be named without its ``params.`` or ``metrics.``.

    Raises:
        InputError: no such column or value (the nearest one is named), or nothing is left.
    """
    flat = rows(results)
    chosen = list(range(len(results)))
    for name, text in filters.items():
        column = _column(name, list(flat[0]) if flat else [])
        wanted = text.split(",")
        there = dict.fromkeys(_text(row[column]) for row in flat)
        for value in wanted:
            if value not in there:
                raise InputError(f"--filter {name}={text}: {unknown(column, value, there)}")
        chosen = [index for index in chosen if _text(flat[index][column]) in wanted]
    if not chosen:
        raise InputError("the filters leave no trial to show")
    return [results[index] for index in chosen]


def _column(name: str, columns: Sequence[str]) -> str:
    for column in (name, f"params.{name}", f"metrics.{name}"):
        if column in columns:
            return column
    raise InputError(f"--filter {name}: {unknown('column', name, columns)}")


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with names such as ``latency.p50_ms``; lists become JSON text."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        column = f"{prefix}{name}"
        if isinstance(item, Mapping):
            flat |= flatten(item, f"{column}.")
        elif isinstance(item, (list, tuple)):
            flat[column] = json.dumps(item, ensure_ascii=False)
        else:
            flat[column] = item
    return flat


def _grouped(columns: Iterable[str]) -> list[str]:
    """Columns of one group side by side, groups in the order of their first column."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(column.partition(".")[0], []).append(column)
    return [column for group in groups.values() for column in group]


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)
