"""An executor is made when it is first used, once, and closed if it was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from pybench.executors.inline import InlineExecutor
from pybench.executors.lazy import LazyExecutor
from pybench.records import Outcome
from pybench.trial.job import Job


class Counting(InlineExecutor):
    """Counts how often one is made and closed, and runs nothing."""

    made = closed = 0

    def __init__(self) -> None:
        type(self).made += 1

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        return iter(())

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def counting() -> type[Counting]:
    return type("Fresh", (Counting,), {})


def test_without_a_job_none_is_made(counting: type[Counting]) -> None:
    with LazyExecutor(counting):
        pass
    assert (counting.made, counting.closed) == (0, 0)


def test_one_is_made_for_all_jobs_and_closed_once(counting: type[Counting]) -> None:
    with LazyExecutor(counting) as executor:
        for _ in range(2):
            assert list(executor.run([])) == []
        executor.close()
    assert (counting.made, counting.closed) == (1, 1)


def test_it_is_closed_when_a_run_fails(counting: type[Counting]) -> None:
    def stopped() -> None:
        with LazyExecutor(counting) as executor:
            executor.run([])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert counting.closed == 1
