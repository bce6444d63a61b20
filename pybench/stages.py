"""Where a prediction spends its time: code marks its stages (``stage``), and a caller measures them (``record``).

A stage costs a microsecond while nothing is recorded. Stages may be nested; the time of an inner stage does not count
for the outer one. Time outside of all stages is not recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Stage = Literal["decode", "preprocess", "backbone", "match", "postprocess"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class _Recording:
    """Milliseconds by stage. At each change, the time since the last change is added to the innermost open stage."""

    def __init__(self, synchronise: Callable[[], None]) -> None:
        self.milliseconds: dict[str, float] = {}
        self._synchronise = synchronise
        self._open: list[Stage] = []
        self._since = 0

    def enter(self, stage: Stage) -> None:
        self._charge()
        self._open.append(stage)

    def leave(self) -> None:
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        self._synchronise()
        now = time.perf_counter_ns()
        if self._open:
            stage = self._open[-1]
            self.milliseconds[stage] = self.milliseconds.get(stage, 0.0) + (now - self._since) / 1e6
        self._since = now


_recording: ContextVar[_Recording | None] = ContextVar("stages", default=None)


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """The block, or the function that it decorates, belongs to a stage of a prediction.

    ``decode`` is file to pixels, ``preprocess`` pixels to the network's input, ``backbone`` the network that computes
    the features, ``match`` the method's own part (matching, reconstruction), ``postprocess`` the filtering and resizing
    of the map.
    """
    recording = _recording.get()
    if recording is None:
        yield
        return
    recording.enter(name)
    try:
        yield
    finally:
        recording.leave()


@contextmanager
def record(synchronise: Callable[[], None]) -> Iterator[dict[str, float]]:
    """Milliseconds of each stage that runs within the block; the dict is complete at its end.

    Args:
        synchronise: waits until the device has done what it was given; called where a stage begins or ends.
    """
    recording = _Recording(synchronise)
    token = _recording.set(recording)
    try:
        yield recording.milliseconds
    finally:
        _recording.reset(token)
