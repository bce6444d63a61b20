"""The only place that times a method: batch-1 latency of a fitted method, alone on its machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import Tensor

from pybench import data, memory, registry
from pybench.environment import environment, usable_cores
from pybench.images import DecodedImages
from pybench.node_lock import node_lock
from pybench.records import Latency, Timing
from pybench.suite import LatencyProtocol
from pybench.trial import Job, build_method, now
from pybench.types import Method

_LEAST_CALLS = 30
_WARM_UP_CALLS, _WARM_UP_SECONDS = 10, 1.0
_P99_FROM_CALLS = 662
_BUSY_SHARE = 0.1  # of the machine's CPU time, used by others while we measured


def measure(job: Job, protocol: LatencyProtocol) -> Latency:
    """Fit the job's method and time it on the test images, one at a time, with all cores of the machine.

    Waits until no trial runs on this machine, and keeps others from starting, whichever driver they belong to.
    """
    for folder in job.plugins:
        registry.add_plugins(folder)
    with node_lock(exclusive=True):
        return _measure(job, protocol)


def timing(milliseconds: NDArray[np.float64]) -> Timing:
    """Percentiles of raw samples with order-statistic 95 % intervals (binomial, distribution-free)."""
    ordered = np.sort(milliseconds)
    calls = len(ordered)
    levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95}
    if calls >= _P99_FROM_CALLS:
        levels["p99"] = 0.99
    values = {name: float(np.quantile(ordered, level)) for name, level in levels.items()}
    return Timing(
        calls=calls,
        p50=values["p50"],
        p90=values["p90"],
        p95=values["p95"],
        p99=values.get("p99"),
        intervals={name: _interval(ordered, level) for name, level in levels.items()},
    )


def _interval(ordered: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The order statistics between which the quantile lies with 95 % probability; the extremes where there are none."""
    calls = len(ordered)
    below = int(binom.ppf(0.025, calls, level)) - 1
    above = int(binom.ppf(0.975, calls, level))
    return float(ordered[max(below, 0)]), float(ordered[min(above, calls - 1)])


def _measure(job: Job, protocol: LatencyProtocol) -> Latency:
    started, cores = now(), usable_cores()
    spec = job.spec.model_copy(update={"resources": job.spec.resources.model_copy(update={"threads": cores})})
    samples = job.samples or data.load(spec, job.data_root)
    memory.reset_peak()
    method = build_method(replace(job, spec=spec))
    method.fit(DecodedImages(samples.train))
    images = DecodedImages(samples.test)
    decoded = images[0][None]

    def end_to_end(call: int) -> None:
        _predict(method, images[call % len(images)][None])

    def predict(call: int) -> None:
        _predict(method, decoded)

    first = _milliseconds(lambda: end_to_end(0), spec.resources.device)
    before = _CpuTimes.read()
    timings = [timing(_repeat(call, protocol, spec.resources.device)) for call in (end_to_end, predict)]
    others = _CpuTimes.read().share_of_others(before, cores)
    return Latency(
        key=job.spec.latency_key(),
        dataset=spec.dataset,
        category=spec.category,
        method=spec.method,
        params=spec.params,
        resources=spec.resources,
        profile=spec.profile,
        image_height=decoded.shape[-2],
        image_width=decoded.shape[-1],
        end_to_end=timings[0],
        predict=timings[1],
        first_call_ms=first,
        peak_memory_mb=round(memory.peak_mb(), 1),
        flags=(f"busy machine: others used {others:.0%} of its CPU time",) if others > _BUSY_SHARE else (),
        manifest={**environment(), "load_average": os.getloadavg(), "cpu_share_of_others": round(others, 3)},
        code_version=job.code_version,
        started=started,
        finished=now(),
    )


def _predict(method: Method, image: Tensor) -> None:
    """One prediction whose results have arrived on the host."""
    prediction = method.predict(image)
    prediction.scores.cpu()
    if prediction.maps is not None:
        prediction.maps.cpu()


def _repeat(call: Callable[[int], None], protocol: LatencyProtocol, device: str) -> NDArray[np.float64]:
    """Milliseconds of every call after the warm-up."""
    started, number = time.perf_counter(), 0
    while number < _WARM_UP_CALLS or time.perf_counter() - started < _WARM_UP_SECONDS:
        call(number)
        number += 1
    samples: list[float] = []
    started = time.perf_counter()
    while len(samples) < _LEAST_CALLS or (
        len(samples) < protocol.calls and time.perf_counter() - started < protocol.seconds
    ):
        samples.append(_milliseconds(lambda: call(len(samples)), device))
    return np.array(samples)


def _milliseconds(call: Callable[[], None], device: str) -> float:
    _synchronise(device)
    before = time.perf_counter_ns()
    call()
    _synchronise(device)
    return (time.perf_counter_ns() - before) / 1e6


def _synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


class _CpuTimes:
    """CPU seconds used by the whole machine and by this process, at one moment."""

    def __init__(self, machine: float, own: float, moment: float) -> None:
        self.machine, self.own, self.moment = machine, own, moment

    @classmethod
    def read(cls) -> _CpuTimes:
        try:
            fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
            ticks = [int(field) for field in fields]
            busy = sum(ticks[:3] + ticks[5:7]) / os.sysconf("SC_CLK_TCK")
        except OSError:
            busy = float("nan")
        own = os.times()
        return cls(busy, own.user + own.system, time.monotonic())

    def share_of_others(self, before: _CpuTimes, cores: int) -> float:
        """Share of the machine's CPU time since ``before`` that went to other processes; 0 where it cannot be known."""
        used = (self.machine - before.machine) - (self.own - before.own)
        share = used / ((self.moment - before.moment) * cores)
        return 0.0 if np.isnan(share) else max(0.0, share)
