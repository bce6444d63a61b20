"""Trials of detectors with their latencies, as a run would leave them behind, to choose among."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from pybench.records import Latency, Record, Result, Timing
from pybench.report.best import print_selections
from pybench.report.selection import Selection, selections
from pybench.results.constraints import parse
from pybench.spec import Resources, TrialSpec

METRIC = "aupro_30"
METRICS = (METRIC, "image_auroc", "overkill_rate")
Values = float | Sequence[float | None] | None


def detector(
    method: str,
    values: Values,
    p95: float | None = 10.0,
    memory: float = 500.0,
    *,
    categories: Sequence[str] = ("lid",),
    params: dict[str, Any] | None = None,
    metric: str = METRIC,
    latency: dict[str, Any] | None = None,
    **record: Any,
) -> list[Result]:
    """The trials of one detector: a value for each seed, the same in every category; no p95 is no latency."""
    made = []
    for category in categories:
        for seed, value in enumerate(values if isinstance(values, Sequence) else [values]):
            spec = TrialSpec(
                suite="a_suite", dataset="tiles", category=category, method=method, profile="quick", metrics=METRICS,
                params={"weights": "random", **(params or {})}, seed=seed,
            )  # fmt: skip
            fields: dict[str, Any] = {"status": "ok", "metrics": {metric: value}, **record}
            measured = None if p95 is None else measurement(spec, p95, memory, **(latency or {}))
            made.append(Result(Record(key=spec.key(), spec=spec, **fields), measured))
    return made


def measurement(spec: TrialSpec, p95: float, memory: float, upper: float = 1.0, **fields: Any) -> Latency:
    """A latency whose p95 has an interval up to ``upper`` times itself."""
    timing = Timing(
        calls=128, p50=p95 / 2, p90=p95 * 0.9, p95=p95, p99=None,
        intervals={"p50": (p95 / 2, p95 / 2), "p95": (p95 * 0.9, p95 * upper)},
    )  # fmt: skip
    given: dict[str, Any] = {
        "key": spec.latency_key(), "image_height": 200, "image_width": 256, "flags": (), "manifest": {}, **fields,
    }  # fmt: skip
    return Latency(
        dataset=spec.dataset, category=spec.category, method=spec.method, params=spec.params, resources=Resources(),
        profile=spec.profile, end_to_end=timing, predict=timing, first_call_ms=9, peak_memory_mb=memory,
        code_version="", finished="", **given,
    )  # fmt: skip


def changed(results: Sequence[Result], **spec: Any) -> list[Result]:
    """The same trials with other specs, and without latencies."""
    records = [result.record for result in results]
    specs = [record.spec.model_copy(update=spec) for record in records]
    return [Result(record.model_copy(update={"spec": new}), None) for record, new in zip(records, specs, strict=True)]


def select(results: Sequence[Result], *limits: str, metric: str = METRIC) -> Selection:
    (selection,) = selections(results, metric, parse(limits, "--under"))
    return selection


def printed(selection: Selection, width: int = 140) -> str:
    text = io.StringIO()
    print_selections(Console(file=text, width=width), [selection])
    return text.getvalue()


# Accuracy, p95 and memory; what is in the front was found by hand.
FIVE = [
    *detector("exact", 0.90, 20, 1000),
    *detector("fast", 0.85, 10, 2000),
    *detector("beaten_by_fast", 0.85, 12, 2500),
    *detector("small", 0.80, 30, 500),
    *detector("looks_as_exact", 0.8999, 25, 1000),
]
