"""The measurement: fresh process pairs, cases in mixed order, pairs in random order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pybench.gate.process import CaseError, Side, SideError, Source, Worker, WorkerDied
from pybench.gate.rule import PROCESS_PAIRS, CaseResult, Pairs, Verdict, case_result, ratio_of
from pybench.machine.machine_lock import machine_lock
from pybench.registry import unknown
from pybench.types import InputError

PAIRS = 60
_MOST_ROUNDS = 4  # times as many pairs where the interval is too wide to tell
_SAMPLE_NS = 5_000_000  # a sample repeats the call until it takes so long
_MOST_CALLS = 100_000

Report = Callable[[str], None]


@dataclass(frozen=True)
class Cases:
    """Names of the cases that both sides have, and of those that only one has."""

    both: list[str]
    only_base: list[str]
    only_head: list[str]

    @classmethod
    def of(cls, base: Sequence[str], head: Sequence[str]) -> Cases:
        """From the names that each side has."""
        return cls(
            [name for name in head if name in base],
            [name for name in base if name not in head],
            [name for name in head if name not in base],
        )

    @property
    def names(self) -> list[str]:
        """Names of all cases."""
        return [*self.both, *self.only_base, *self.only_head]

    def restricted(self, wanted: Sequence[str]) -> Cases:
        """The wanted cases; all where ``wanted`` is empty.

        Raises:
            InputError: neither side has a case of that name.
        """
        for name in wanted:
            if name not in self.names:
                raise InputError(f"--case: {unknown('case', name, self.names)}")
        lists = (self.both, self.only_base, self.only_head)
        return Cases(*([name for name in some if not wanted or name in wanted] for some in lists))


def compare(
    base: Side,
    head: Side,
    source: Source,
    *,
    wanted: Sequence[str] = (),
    seed: int = 0,
    report: Report = lambda line: None,
) -> list[CaseResult]:
    """Measure every case in base and head by the rule; meanwhile no trial of pybench runs on the machine.

    What the rule calls a regression or faster is measured once more in three further process pairs, and they decide.

    Args:
        wanted: names of cases; none takes all.
        seed: of the order in which pairs are taken and of the intervals.
        report: gets a line on the progress.

    Raises:
        InputError: a case that neither side knows.
        SideError: a side's code cannot be loaded.
    """
    return _Measurement(base, head, source, seed, report).run(wanted)


def time_one_side(side: Side, source: Source, seed: int = 0) -> NDArray[np.float64]:
    """Nanoseconds of one call [n] of the only case of a source, in one fresh process; nothing is compared.

    Raises:
        SideError: the side has no such case, or it raises.
    """
    with machine_lock(exclusive=True), Worker(side) as worker:
        try:
            worker.open(source)
            names = worker.opened()
            if len(names) != 1:
                raise SideError(side.name, f"{side.name} does not have {source.options.get('factory', 'one case')}")
            processes = _Processes([worker], random.Random(seed))
            processes.prepare(names[0])
            for _ in range(PAIRS):
                processes.take_sample(names[0])
            return processes.samples(names[0])[:, 0]
        except (CaseError, WorkerDied) as error:
            raise SideError(side.name, str(error)) from error


class _Measurement:
    """One run of the gate. A case that raises, or whose process dies, is not measured again; ``_broken`` holds the
    reason."""

    def __init__(self, base: Side, head: Side, source: Source, seed: int, report: Report) -> None:
        self._sides, self._source, self._seed, self._report = (base, head), source, seed, report
        self._random = random.Random(seed)
        self._broken: dict[str, str] = {}

    def run(self, wanted: Sequence[str]) -> list[CaseResult]:
        self._report("waiting until no trial of pybench runs on this machine")
        with machine_lock(exclusive=True):
            with self._fresh_processes() as (_, names):
                cases = Cases.of(*names).restricted(wanted)
            results = self._measured(cases.both)
            doubtful = (Verdict.regression, Verdict.faster)
            suspects = [name for name, result in results.items() if result.verdict in doubtful]
            if suspects:
                self._report(f"measuring again what seems slower or faster: {'; '.join(suspects)}")
                results |= self._measured(suspects)
        return [*results.values(), *self._one_sided(cases)]

    def _measured(self, names: list[str]) -> dict[str, CaseResult]:
        """The results of cases that both sides have, from three process pairs."""
        measured: list[dict[str, Pairs]] = []
        while len(measured) < PROCESS_PAIRS and (todo := self._unbroken(names)):
            self._report(f"process pair {len(measured) + 1} of {PROCESS_PAIRS}, {len(todo)} cases")
            # Where a process dies, the samples of its pair are dropped, and a fresh pair measures the other cases.
            with suppress(WorkerDied), self._fresh_processes() as (workers, _):
                measured.append(self._process_pair(_Processes(workers, self._random), todo))
        return {name: self._result(name, measured) for name in names}

    def _unbroken(self, names: list[str]) -> list[str]:
        return [name for name in names if name not in self._broken]

    @contextmanager
    def _fresh_processes(self) -> Iterator[tuple[list[Worker], list[list[str]]]]:
        """A fresh process of base and one of head, and the names of the cases of each."""
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(side)) for side in self._sides]
            for worker in workers:
                worker.open(self._source)
            yield workers, [_opened(worker) for worker in workers]

    def _process_pair(self, processes: _Processes, names: list[str]) -> dict[str, Pairs]:
        """Pairs of every case that did not break."""
        for name in names:
            self._try(name, processes.prepare)
        todo = names
        for _ in range(_MOST_ROUNDS):
            order = [name for name in self._unbroken(todo) for _ in range(PAIRS)]
            self._random.shuffle(order)
            for name in order:
                self._try(name, processes.take_sample)
            found = {name: Pairs(*processes.samples(name).T) for name in self._unbroken(names)}
            todo = [name for name in self._unbroken(todo) if not ratio_of(found[name], self._seed).can_tell]
        return found

    def _try(self, name: str, step: Callable[[str], None]) -> None:
        """Do a step with a case that is not broken; where it fails, keep the reason."""
        if name in self._broken:
            return
        try:
            step(name)
        except (CaseError, WorkerDied) as error:
            self._broken[name] = str(error)
            if isinstance(error, WorkerDied):
                raise

    def _result(self, name: str, measured: list[dict[str, Pairs]]) -> CaseResult:
        if name in self._broken:
            return CaseResult(name, Verdict.crash, self._broken[name])
        return case_result(name, [found[name] for found in measured], self._seed)

    def _one_sided(self, cases: Cases) -> Iterator[CaseResult]:
        base, head = (side.name for side in self._sides)
        for name in cases.only_base:
            yield CaseResult(name, Verdict.missing, f"{base} has it, {head} has not")
        for name in cases.only_head:
            yield CaseResult(name, Verdict.new, f"{base} does not know it")


def _opened(worker: Worker) -> list[str]:
    try:
        return worker.opened()
    except (CaseError, WorkerDied) as error:
        raise SideError(worker.side.name, str(error)) from error


class _Processes:
    """The running processes of base and head, or of one side alone; one works while the other waits."""

    def __init__(self, workers: Sequence[Worker], random: random.Random) -> None:
        self._workers, self._random = workers, random
        self._calls: dict[str, int] = {}
        self._samples: dict[str, list[list[float]]] = {}

    def prepare(self, name: str) -> None:
        """Build the case in every process, warm it up, and find how many calls make a sample.

        Raises:
            CaseError: it raises, or the processes work on different input.
            WorkerDied: a process ended.
        """
        if len({worker.ask(do="prepare", case=name)["input"] for worker in self._workers}) > 1:
            raise CaseError("base and head work on different input (images, or the processor's instructions)")
        self._calls[name], self._samples[name] = self._enough_calls(name), []

    def take_sample(self, name: str) -> None:
        """One sample of each process, in random order, of the same calls."""
        calls, taken = self._calls[name], [0.0] * len(self._workers)
        first = len(self._samples[name]) * calls
        for index in self._random.sample(range(len(taken)), len(taken)):
            taken[index] = self._run(self._workers[index], name, calls, first) / calls
        self._samples[name].append(taken)

    def samples(self, name: str) -> NDArray[np.float64]:
        """Nanoseconds of one call in the samples so far [n, processes]."""
        return np.array(self._samples[name], dtype=np.float64)

    def _enough_calls(self, name: str) -> int:
        """How many calls take the fastest process long enough; trying them warms up all processes."""
        calls = 1
        while True:
            fastest = min(self._run(worker, name, calls, 0) for worker in self._workers for _ in range(2))
            if fastest >= _SAMPLE_NS or calls == _MOST_CALLS:
                return calls
            calls = min(_MOST_CALLS, max(calls + 1, math.ceil(1.2 * calls * _SAMPLE_NS / max(1, fastest))))

    def _run(self, worker: Worker, name: str, calls: int, first: int) -> int:
        taken: int = worker.ask(do="run", case=name, calls=calls, first=first)["ns"]
        return taken
