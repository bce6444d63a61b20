"""Results with latencies, by hand."""

from __future__ import annotations

from pybench.records import Latency, Record, Result, Timing
from pybench.spec import Resources, TrialSpec

METRICS = ("image_auroc", "pixel_auroc", "aupro_30")


CATEGORIES = ("bottle", "metal_nut", "toothbrush")


def timing(p50: float) -> Timing:
    return Timing(calls=128, p50=p50, p90=p50 * 1.1, p95=p50 * 1.2, p99=None, intervals={})


def results(methods: dict[str, float], flags: tuple[str, ...] = ()) -> list[Result]:
    """Each method with its median latency; values follow from positions and are all different."""
    made = []
    for row, category in enumerate(CATEGORIES):
        for column, (method, p50) in enumerate(methods.items()):
            spec = TrialSpec(
                suite="a_suite", dataset="tiles", category=category, method=method, profile="quick", metrics=METRICS,
                params={"weights": "random", "backbone": "resnet18"},
            )  # fmt: skip
            values = {name: (50 + 10 * i + 3 * row + 0.1 * column) / 100 for i, name in enumerate(METRICS)}
            latency = Latency(
                key=method, dataset="tiles", category="bottle", method=method, profile="quick",
                params=spec.params, resources=Resources(),
                image_height=256, image_width=200, end_to_end=timing(p50), predict=timing(p50 / 2),
                first_call_ms=p50 * 9, peak_memory_mb=512, flags=flags, manifest={}, code_version="", finished="",
            )  # fmt: skip
            record = Record(key=spec.key(), spec=spec, status="ok", metrics=values, timings={"fit": 2.0})
            made.append(Result(record, latency))
    return made


THREE = {"patchcore": 12.34, "padim": 5.678, "hetmm": 123.4}
