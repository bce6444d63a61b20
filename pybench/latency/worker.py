"""A fresh process that fits a method, or loads a fitted one and times it: ``python -m pybench.latency.worker FOLDER``.

FOLDER/order          what to do, pickled by the process that waits for it (``pybench.latency.fresh_process``)
FOLDER/ready          is there as soon as this process has imported what it needs, and waits for ``BEGIN`` on its input
FOLDER/answer.json    the result; once calls are timed, it is written again for each batch size that is tried

It ends when its standard input is closed: the process that waited for it is gone.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel
from torch import Tensor

from pybench import registry, stages
from pybench.backbones import feature_cache
from pybench.disk import atomic_files
from pybench.images.loading import DecodedImages
from pybench.machine import peak_memory
from pybench.machine.clocks import clocks
from pybench.machine.cpu_times import CpuTimes
from pybench.machine.environment import usable_cores
from pybench.ops import dispatch
from pybench.records import Status, Throughput
from pybench.trial import fitted_states
from pybench.trial.build_method import build_method
from pybench.trial.failures import status_and_reason
from pybench.trial.job import Job
from pybench.types import Method

BEGIN = b"\n"
_WARM_UP = (10, 1.0)  # calls and seconds before the headline's
_SHORT_WARM_UP = (3, 0.2)  # before others
_RECORDED_EVERY = 3  # calls with stages lie between calls without, so that both see the same machine
_BATCHES = 3  # at least, of each size

T = TypeVar("T")


@dataclass(frozen=True)
class Fit:
    """Fit the job's method and keep its state, in ``file`` where the machine's folder of states does not take it."""

    job: Job
    file: Path


@dataclass(frozen=True)
class Time:
    """Load the state of the job's method and time it on the job's test images, with this many threads.

    Calls are timed for ``seconds``, but at least ``least`` and at most ``calls`` of them. ``is_headline`` times
    ``predict`` by itself, too. ``batch_sizes`` are those whose throughput is measured.
    """

    job: Job
    file: Path
    threads: int
    least: int
    calls: int
    seconds: float
    is_headline: bool
    batch_sizes: tuple[int, ...]


class Fitted(BaseModel):
    """Where the state lies."""

    file: Path
    remark: str


class Timed(BaseModel):
    """What was measured. Times are milliseconds, ``stages_ms`` those of each call whose stages were recorded."""

    image_height: int
    image_width: int
    load_ms: float
    first_call_ms: float
    end_to_end_ms: list[float]
    stages_ms: list[dict[str, float]]
    predict_ms: list[float]
    share_of_others: float
    peak_memory_mb: float
    peak_device_memory_mb: float | None
    backends: dict[str, str]
    clocks: dict[str, Any]
    throughput: list[Throughput] = []


class Failed(BaseModel):
    """Why there is no other answer."""

    status: Status
    reason: str
    traceback: str


def main(folder: Path) -> None:
    """Carry out the order in a folder, and write the answer there."""

    def answer(content: BaseModel) -> None:
        atomic_files.write(folder / "answer.json", content.model_dump_json().encode())

    order: Fit | Time = pickle.loads((folder / "order").read_bytes())
    try:
        for plugins in order.job.plugins:
            registry.add_plugins(plugins)
        registry.load("method", order.job.spec.method)  # its imports are no part of loading a state
        _wait_for_turn(folder)
        if isinstance(order, Fit):
            answer(_fit(order))
        else:
            _time(order, answer)
    except Exception as error:
        status, reason = status_and_reason(error)
        answer(Failed(status=status, reason=reason, traceback=traceback.format_exc()))


def _wait_for_turn(folder: Path) -> None:
    (folder / "ready").touch()
    if sys.stdin.buffer.read(len(BEGIN)) != BEGIN:
        os._exit(1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End this process when its standard input is closed, because the process that waits for it is gone."""
    sys.stdin.buffer.read()
    os._exit(1)


def _fit(order: Fit) -> Fitted:
    """Fit as the trial does, so that the state is the trial's."""
    job = order.job
    assert job.samples is not None
    with feature_cache.opened(lambda name, seconds: None):
        method = build_method(job)
        method.fit(DecodedImages(job.samples.train))
    state = method.state_dict()
    remark = fitted_states.keep(job.origin, state, len(job.samples.train), is_measured=True)
    kept, _ = fitted_states.find(job.origin)
    if kept is None:
        fitted_states.save(order.file, state)
    return Fitted(file=kept or order.file, remark=remark)


def _time(order: Time, answer: Callable[[BaseModel], None]) -> None:
    job, device = order.job, order.job.spec.resources.device
    assert job.samples is not None
    images = DecodedImages(job.samples.test)
    clock = _Clock(device)
    method, load_ms = clock.measured(partial(_loaded, order))
    decoded = images[0][None]

    def end_to_end(call: int) -> None:
        _predict(method, images[call % len(images)][None])

    def predict(call: int) -> None:
        _predict(method, decoded)

    with dispatch.record() as backends:
        _, first = clock.measured(partial(end_to_end, 0))
    before = CpuTimes.read()
    _warm_up(end_to_end, *_WARM_UP)
    plain, recorded = _with_stages(end_to_end, order, clock)
    alone: list[float] = []
    if order.is_headline:
        _warm_up(predict, *_SHORT_WARM_UP)
        alone = _repeated(predict, order, clock)
    timed = Timed(
        image_height=decoded.shape[-2],
        image_width=decoded.shape[-1],
        load_ms=load_ms,
        first_call_ms=first,
        end_to_end_ms=plain,
        stages_ms=recorded,
        predict_ms=alone,
        share_of_others=CpuTimes.read().share_of_others(before, usable_cores()),
        peak_memory_mb=peak_memory.peak_memory_mb(),
        peak_device_memory_mb=torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
        backends=backends,
        clocks=clocks(),
    )
    answer(timed)
    for position, size in enumerate(order.batch_sizes):
        # If memory runs out on a CPU, the kernel kills the process: then this answer is what it leaves.
        died = f"the process died at batch size {size}, perhaps for want of memory"
        lost = [
            Throughput(batch_size=other, images_per_second=None, reason=died) for other in order.batch_sizes[position:]
        ]
        answer(timed.model_copy(update={"throughput": [*timed.throughput, *lost]}))
        timed.throughput.append(_throughput(method, images, size, order.seconds, clock))
    answer(timed)


def _loaded(order: Time) -> Method:
    """A method that can predict, from the file of its state."""
    resources = order.job.spec.resources.model_copy(update={"threads": order.threads})
    spec = order.job.spec.model_copy(update={"resources": resources})
    method = build_method(Job(spec, None, (), "", "", {}))
    method.load_state_dict(fitted_states.load(order.file, resources.device))
    return method


def _predict(method: Method, images: Tensor) -> None:
    """One prediction whose results have arrived on the host."""
    prediction = method.predict(images)
    prediction.scores.cpu()
    if prediction.maps is not None:
        prediction.maps.cpu()


def _warm_up(call: Callable[[int], None], calls: int, seconds: float) -> None:
    started, number = time.perf_counter(), 0
    while number < calls or time.perf_counter() - started < seconds:
        call(number)
        number += 1


def _with_stages(call: Callable[[int], None], order: Time, clock: _Clock) -> tuple[list[float], list[dict[str, float]]]:
    """Milliseconds of calls, and those of the stages of other calls between them."""
    recorded: list[dict[str, float]] = []

    def record(number: int) -> None:
        if number % _RECORDED_EVERY == 0:
            with stages.record(clock.synchronise) as milliseconds:
                call(len(recorded))
            recorded.append(milliseconds)

    return _repeated(call, order, clock, record), recorded


def _repeated(
    call: Callable[[int], None], order: Time, clock: _Clock, after: Callable[[int], None] = lambda number: None
) -> list[float]:
    """Milliseconds of as many calls as the order asks for. ``call``, and ``after`` it, get the number of the call."""
    samples: list[float] = []
    started = time.perf_counter()
    while len(samples) < order.least or (len(samples) < order.calls and time.perf_counter() - started < order.seconds):
        number = len(samples)
        samples.append(clock.measured(partial(call, number))[1])
        after(number)
    return samples


def _throughput(method: Method, images: DecodedImages, size: int, seconds: float, clock: _Clock) -> Throughput:
    """Images per second of ``predict`` on decoded images, from the median time of a batch."""
    try:
        batch = _batch(images, size)
        _predict(method, batch)
        samples: list[float] = []
        started = time.perf_counter()
        while len(samples) < _BATCHES or time.perf_counter() - started < seconds / 10:
            samples.append(clock.measured(partial(_predict, method, batch))[1])
    except Exception as error:
        status, reason = status_and_reason(error)
        why = "does not fit in memory" if status == "out_of_memory" else reason
        return Throughput(batch_size=size, images_per_second=None, reason=why)
    return Throughput(batch_size=size, images_per_second=1000 * size / sorted(samples)[len(samples) // 2])


def _batch(images: DecodedImages, size: int) -> Tensor:
    """``size`` images of the first one's shape, repeated if there are fewer."""
    shape, found = images[0].shape, []
    for image in images:
        if image.shape == shape:
            found.append(image)
        if len(found) == size:
            break
    return torch.stack([found[number % len(found)] for number in range(size)])


class _Clock:
    """Measures time until the device has finished its work, not only until the work was queued."""

    def __init__(self, device: str) -> None:
        self.synchronise: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None

    def measured(self, call: Callable[[], T]) -> tuple[T, float]:
        """What a call returns, and its milliseconds."""
        self.synchronise()
        before = time.perf_counter_ns()
        result = call()
        self.synchronise()
        return result, round((time.perf_counter_ns() - before) / 1e6, 4)


if __name__ == "__main__":
    # Not this copy of the module: pickled orders name the classes of pybench.latency.worker, not those of __main__.
    from pybench.latency.worker import main as run

    run(Path(sys.argv[1]))
