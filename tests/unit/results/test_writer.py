"""Records are written in groups by a thread, and told of only when they are on the disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from pybench.disk import atomic_files
from pybench.records import Outcome, Record
from pybench.results.store import Store
from pybench.results.writer import RecordWriter
from pybench.spec import TrialSpec
from pybench.types import InputError


def outcome(seed: int) -> Outcome:
    spec = TrialSpec(
        suite="a", dataset="b", category="c", method="d", params={}, seed=seed, profile="quick", metrics=()
    )
    return Outcome(Record(key=spec.key(), spec=spec, status="ok", finished=str(seed)))


def test_what_is_told_can_be_read(tmp_path: Path) -> None:
    store, told = Store(tmp_path), []

    def tell(record: Record) -> None:
        assert store.record(record.spec) == record
        told.append(record.spec.seed)

    with RecordWriter(store, tell) as commits:
        for seed in range(50):
            commits.put(outcome(seed))
    assert told == list(range(50))
    assert len(store.results()) == 50


def test_what_comes_while_the_disk_is_waited_for_is_one_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on, groups = threading.Event(), []

    def slow(self: Store, *outcomes: Outcome) -> list[Record]:
        going_on.wait(30)
        groups.append(len(outcomes))
        return [one.record for one in outcomes]

    monkeypatch.setattr(Store, "write", slow)
    with RecordWriter(Store(tmp_path), lambda record: None) as commits:
        for seed in range(20):
            commits.put(outcome(seed))
        going_on.set()
    assert sum(groups) == 20
    assert len(groups) <= 3, "the first alone or with a few, the rest together"


def test_a_full_disk_stops_the_run_and_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(contents: Any) -> None:
        if contents:
            raise InputError("no space")

    monkeypatch.setattr(atomic_files, "write_all", full)
    told: list[Record] = []

    def run() -> None:
        with RecordWriter(Store(tmp_path), told.append) as commits:
            for seed in range(1000):  # more than may wait: the one that hands over must not wait for ever
                commits.put(outcome(seed))

    with pytest.raises(InputError, match="no space"):
        run()
    assert told == []


def test_what_was_handed_over_is_written_when_the_run_is_interrupted(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def run() -> None:
        with RecordWriter(store, lambda record: None) as commits:
            commits.put(outcome(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(store.results()) == 1


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_files_are_written_whatever_their_number(tmp_path: Path, count: int) -> None:
    contents = {tmp_path / str(number % 3) / f"{number}": f"content {number}".encode() for number in range(count)}
    atomic_files.write_all(contents)
    atomic_files.write_all({path: content + b"!" for path, content in contents.items()})
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == {
        path: content + b"!" for path, content in contents.items()
    }
