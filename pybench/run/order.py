"""Which trial is next: the one expected to last longest, so that no long trial is left alone at the end of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice

from pybench.hashing import json_hash
from pybench.records import Record
from pybench.spec import TrialSpec

LOOK_AHEAD = 10_000  # trials that are ordered; a suite may have a million


class LongestFirst:
    """Iterates over the trials that are to run, the longest of the next ``LOOK_AHEAD`` first.

    Durations are estimated from the records of earlier runs. Trials without an estimate come first, in the suite's
    order.

    Args:
        earlier: a trial's record from an earlier run, if there is one, and whether the trial need not run again.
    """

    def __init__(self, specs: Sequence[TrialSpec], earlier: Callable[[TrialSpec], tuple[Record | None, bool]]) -> None:
        self._specs, self._earlier = specs, earlier
        self._durations = _Durations()
        self._next: list[tuple[float, int]] = []

    def __iter__(self) -> Iterator[TrialSpec]:
        coming = iter(range(len(self._specs)))
        first = [index for index in islice(coming, LOOK_AHEAD) if self._is_to_run(index)]
        for index in first:  # now that the records of all of them were read
            self._add(index)
        while self._next or self._extend(coming, 1):
            yield self._specs[heappop(self._next)[1]]
            # Two for each one taken, until the look-ahead is full: finished trials may have left it shorter.
            self._extend(coming, min(2, LOOK_AHEAD - len(self._next)))

    def _extend(self, coming: Iterator[int], count: int) -> bool:
        """Add up to ``count`` more trials that are to run; returns whether any is waiting now."""
        for index in islice(filter(self._is_to_run, coming), count):
            self._add(index)
        return bool(self._next)

    def _is_to_run(self, index: int) -> bool:
        record, finished = self._earlier(self._specs[index])
        if record is not None:
            self._durations.add(record)
        return not finished

    def _add(self, index: int) -> None:
        heappush(self._next, (-self._durations.expected(self._specs[index]), index))


class _Durations:
    """Mean seconds of earlier trials of the same method and parameters, else of the same method."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, record: Record) -> None:
        seconds = sum(record.timings.values())
        for key in _keys(record.spec) if seconds else ():
            total, count = self._sums.get(key, (0.0, 0))
            self._sums[key] = total + seconds, count + 1

    def expected(self, spec: TrialSpec) -> float:
        for key in _keys(spec) if self._sums else ():
            if key in self._sums:
                total, count = self._sums[key]
                return total / count
        return math.inf


def _keys(spec: TrialSpec) -> tuple[str, str]:
    return json_hash([spec.method, spec.params]), spec.method
