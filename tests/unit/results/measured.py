"""Results by hand: one that ended well, with its latency, and one that failed."""

from __future__ import annotations

from typing import Any

from pybench.records import Latency, Record, Result, Timing
from pybench.spec import Resources, TrialSpec

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
