"""Records on their way to the disk, written by a thread of their own: trials go on while the disk is waited for."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from pybench.records import Outcome, Record
from pybench.results.store import Store

_MOST_WAITING = 256  # outcomes, contact sheets included, that the driver holds in memory


class Commits:
    """Writes what has come together since the last write as one group; a context manager, which ends with the last.

    Args:
        told: takes each record once it is on the disk; called by the thread.
    """

    def __init__(self, store: Store, told: Callable[[Record], None]) -> None:
        self._store, self._told = store, told
        self._waiting: Queue[Outcome | None] = Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._write_groups, name="commits", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def put(self, outcome: Outcome) -> None:
        """Hand over an outcome; waits where many wait already.

        Raises:
            InputError: an earlier one could not be written.
        """
        self._raise()
        self._waiting.put(outcome)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _write_groups(self) -> None:
        ended = False
        while not ended:
            group = [self._waiting.get(), *self._all_waiting()]
            ended = None in group
            if self._error is None:
                try:
                    for record in self._store.write(*(outcome for outcome in group if outcome is not None)):
                        self._told(record)
                except BaseException as error:  # the thread that hands over must learn of it, and not wait for ever
                    self._error = error

    def _all_waiting(self) -> list[Outcome | None]:
        group: list[Outcome | None] = []
        try:
            while len(group) < _MOST_WAITING:
                group.append(self._waiting.get_nowait())
        except Empty:
            pass
        return group
