"""The latency of a fitted method, measured alone on its machine in fresh processes, one after another.

What ``pybench.latency.worker`` times in each of them is put together here.
"""

from __future__ import annotations

import math
import os
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pybench import registry
from pybench.disk.source_hash import hash_with_imports
from pybench.latency.fresh_process import FreshProcess, MeasurementError
from pybench.latency.percentiles import differ, interval, timing
from pybench.latency.worker import Fit, Fitted, Time, Timed
from pybench.machine.environment import environment, usable_cores
from pybench.machine.machine_lock import machine_lock
from pybench.planning.suite import LatencyProtocol
from pybench.records import Latency, LatencyFailure, ProcessTiming, Status, Timing, now
from pybench.stages import STAGES
from pybench.trial import fitted_states
from pybench.trial.build_method import unsupported
from pybench.trial.failures import status_and_reason
from pybench.trial.job import Job
from pybench.trial.samples import load_samples

_LEAST_CALLS = 30  # of all processes together
_BUSY_SHARE = 0.1  # of the machine's CPU time, used by others while we measured
_UNEXPLAINED = 0.05  # of a call, by which its stages may miss it


def measure(job: Job, protocol: LatencyProtocol) -> Latency | LatencyFailure:
    """Time the job's method on the test images, one at a time, with all cores of the machine and with one.

    Waits until no trial runs on this machine, and keeps others from starting, whichever driver they belong to. The
    state is what the job's trial left on this machine; if it left none, the method is fitted first.

    Args:
        job: of one of the trials that share the latency.
        protocol: how many calls, seconds and processes.

    Returns:
        The latency in milliseconds, or why there is none: errors are returned, not raised.
    """
    started = now()
    try:
        for folder in job.plugins:
            registry.add_plugins(folder)
        if reasons := unsupported(job.spec):
            return failure(job, started, "skipped", "; ".join(reasons))
        with machine_lock(exclusive=True), tempfile.TemporaryDirectory(prefix="pybench-") as workspace:
            started = now()
            return _measure(job, protocol, Path(workspace), started)
    except MeasurementError as error:
        return failure(job, started, error.status, error.reason, error.traceback)
    except Exception as error:
        return failure(job, started, *status_and_reason(error), traceback.format_exc())


def failure(job: Job, started: str, status: Status, reason: str, trace: str = "") -> LatencyFailure:
    """What is kept of a latency that could not be measured."""
    return LatencyFailure(**_taken(job, started), status=status, reason=reason, traceback=trace)


def measuring_code() -> str:
    """The version of the code that measures, 16 hex digits: a latency that other code measured is measured again."""
    return hash_with_imports(Path(__file__))


def _taken(job: Job, started: str) -> dict[str, Any]:
    """What a latency and its failure have in common, as of now."""
    spec = job.spec
    return {
        "key": spec.latency_key(),
        "dataset": spec.dataset,
        "category": spec.category,
        "method": spec.method,
        "label": spec.label,
        "params": spec.params,
        "resources": spec.resources,
        "profile": spec.profile,
        "code_version": job.code_version,
        "measured_by": measuring_code(),
        "started": started,
        "finished": now(),
    }


def _measure(job: Job, protocol: LatencyProtocol, workspace: Path, started: str) -> Latency:
    cores, load_before = usable_cores(), os.getloadavg()
    job = replace(job, samples=job.samples or load_samples(job.spec, job.data_root))
    file, origin = _state(job, workspace)

    runs, one_thread = _timed(job, protocol, file, cores)
    end_to_end, processes = _pooled([run.end_to_end_ms for run in runs]), [_process(run) for run in runs]
    stages, stage_calls = _stages(runs)
    others = max(run.share_of_others for run in [*runs, one_thread])
    taken = _taken(job, started)
    taken["resources"] = job.spec.resources.model_copy(update={"threads": cores})
    return Latency(
        **taken,
        image_height=runs[0].image_height,
        image_width=runs[0].image_width,
        end_to_end=end_to_end,
        predict=_pooled([run.predict_ms for run in runs]),
        one_thread=_pooled([one_thread.end_to_end_ms]),
        stages=stages,
        stage_calls=stage_calls,
        throughput=tuple(runs[-1].throughput),
        load_ms=float(np.median([run.load_ms for run in runs])),
        first_call_ms=float(np.median([run.first_call_ms for run in runs])),
        peak_memory_mb=round(max(run.peak_memory_mb for run in runs), 1),
        peak_device_memory_mb=_most([run.peak_device_memory_mb for run in runs]),
        processes=tuple(processes),
        flags=tuple(_flags(others, processes, stages, end_to_end)),
        manifest={
            **environment(),
            "threads": cores,
            "state": origin,
            "backends": runs[-1].backends,
            "clocks": runs[-1].clocks,
            "load_average_before": load_before,
            "load_average_after": os.getloadavg(),
            "cpu_share_of_others": round(others, 3),
        },
    )


def _timed(job: Job, protocol: LatencyProtocol, file: Path, cores: int) -> tuple[list[Timed], Timed]:
    """What processes with all cores measured, and one with a single thread: they start together, and take turns."""

    def order(threads: int, *, is_headline: bool, batch_sizes: tuple[int, ...] = ()) -> Time:
        share = protocol.processes
        return Time(
            job,
            file,
            threads,
            least=math.ceil(_LEAST_CALLS / share),
            calls=math.ceil(protocol.calls / share),
            seconds=protocol.seconds / share,
            is_headline=is_headline,
            batch_sizes=batch_sizes,
        )

    last = protocol.processes - 1
    orders = [
        order(cores, is_headline=True, batch_sizes=protocol.batch_sizes if number == last else ())
        for number in range(protocol.processes)
    ]
    if cores > 1:
        orders.append(order(1, is_headline=False))
    with ExitStack() as stack:
        processes = [stack.enter_context(FreshProcess(each, each.threads)) for each in orders]
        for process in processes:
            process.wait_until_ready()
        timed = [process.ask(Timed) for process in processes]
    return timed[: protocol.processes], timed[-1] if cores > 1 else timed[0]


def _state(job: Job, workspace: Path) -> tuple[Path, str]:
    """The file of the fitted state, and where it comes from."""
    file, origin = fitted_states.find(job.origin)
    if file is not None:
        return file, origin
    with FreshProcess(Fit(job, workspace / "state.pt"), job.spec.resources.threads) as process:
        made = process.ask(Fitted)
    return made.file, "; ".join(filter(None, [f"fitted for this measurement ({origin})", made.remark]))


def _pooled(samples: Sequence[Sequence[float]]) -> Timing:
    """Percentiles over the calls of all processes.

    A deployed detector runs in one process, which may be slower or faster than another; all processes together are a
    sample of that, and the high percentiles need every call. If processes differ, the calls of one process are alike,
    and the interval is too narrow: that is flagged.
    """
    return timing(np.concatenate([np.asarray(calls) for calls in samples]))


def _process(run: Timed) -> ProcessTiming:
    calls = np.asarray(run.end_to_end_ms)
    return ProcessTiming(
        p50=float(np.median(calls)),
        interval=interval(calls, 0.5),
        load_ms=run.load_ms,
        first_call_ms=run.first_call_ms,
        peak_memory_mb=round(run.peak_memory_mb, 1),
        end_to_end_ms=tuple(run.end_to_end_ms),
        predict_ms=tuple(run.predict_ms),
    )


def _stages(runs: Sequence[Timed]) -> tuple[dict[str, float], int]:
    """Medians of the stages over the calls of all processes, in the order of a call, and how many calls there were."""
    calls = [call for run in runs for call in run.stages_ms]
    medians = {stage: float(np.median([call.get(stage, 0.0) for call in calls])) for stage in STAGES}
    return {stage: round(median, 4) for stage, median in medians.items() if median > 0}, len(calls)


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _flags(
    others: float, processes: Sequence[ProcessTiming], stages: dict[str, float], end_to_end: Timing
) -> list[str]:
    """Reasons not to trust the measurement."""
    flags = []
    if others > _BUSY_SHARE:
        flags.append(f"busy machine: others used {others:.0%} of its CPU time")
    if differ(process.interval for process in processes):
        flags.append(f"the medians of {len(processes)} processes differ")
    explained = sum(stages.values()) / end_to_end.p50
    if abs(explained - 1) > _UNEXPLAINED:
        flags.append(f"stages add up to {explained:.0%} of end to end")
    return flags
