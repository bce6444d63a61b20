"""Which trial is next: of the coming ones the longest, as far as earlier records tell, so that none is left at the end
that everybody has to wait for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice

from pybench.hashing import json_hash
from pybench.records import Record
from pybench.spec import TrialSpec

LOOK_AHEAD = 10_000  # trials that are ordered; a suite may have a million


class LookAhead:
    """Iterates over the trials that are to run; those that nothing is known of come first, in the suite's order.

    Args:
        earlier: what there is of a trial from an earlier run, and whether it need not run again.
    """

    def __init__(self, specs: Sequence[TrialSpec], earlier: Callable[[TrialSpec], tuple[Record | None, bool]]) -> None:
        self._specs, self._earlier = specs, earlier
        self._durations = _Durations()
        self._next: list[tuple[float, int]] = []

    def __iter__(self) -> Iterator[TrialSpec]:
        coming = iter(range(len(self._specs)))
        met = [index for index in islice(coming, LOOK_AHEAD) if self._is_to_run(index)]
        for index in met:  # now that all their durations are known
            self._add(index)
        while self._next or self._meet(coming, 1):
            yield self._specs[heappop(self._next)[1]]
            # Two for one, where trials that are finished had left fewer than the look-ahead.
            self._meet(coming, min(2, LOOK_AHEAD - len(self._next)))

    def _meet(self, coming: Iterator[int], count: int) -> bool:
        """Look for so many more trials that are to run; whether there is one now."""
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
