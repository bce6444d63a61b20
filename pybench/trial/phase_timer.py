"""Wall-clock time of the phases of a trial."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class PhaseTimer:
    """Measures the seconds of each phase: ``with timer("fit"): ...``. They are kept in ``seconds``, by name.

    Seconds that are reported with ``spend`` count under their own name and are subtracted from the phase around them.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._spent_elsewhere = 0.0

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        before, self._spent_elsewhere = time.perf_counter(), 0.0
        yield
        self.seconds[phase] = round(time.perf_counter() - before - self._spent_elsewhere, 4)

    def spend(self, name: str, seconds: float) -> None:
        """Count seconds of the current phase under another name."""
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 4)
        self._spent_elsewhere += seconds
