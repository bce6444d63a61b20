"""Writes records in a thread of its own, so that trials go on while the disk is slow."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from pybench.records import Outcome, Record
from pybench.results.store import Store

_MOST_WAITING = 256  # outcomes in memory that have not been written; each includes a contact sheet


class RecordWriter:
    """A context manager that writes outcomes. Those that arrive during a write are written together in the next one.

    Leaving the context waits until all are written.

    Args:
        store: where they are written.
        on_written: called with each record when it is on the disk, by the writer's thread.
    """

    def __init__(self, store: Store, on_written: Callable[[Record], None]) -> None:
        self._store, self._on_written = store, on_written
        self._waiting: Queue[Outcome | None] = Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._write_groups, name="record writer", daemon=True)

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
        """Add an outcome to those that are to be written; waits if too many are in memory.

        Raises:
            InputError: an earlier outcome could not be written.
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
                        self._on_written(record)
                except BaseException as error:  # put raises it in its own thread, which must not wait for ever
                    self._error = error

    def _all_waiting(self) -> list[Outcome | None]:
        group: list[Outcome | None] = []
        try:
            while len(group) < _MOST_WAITING:
                group.append(self._waiting.get_nowait())
        except Empty:
            pass
        return group
