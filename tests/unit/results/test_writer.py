"""A thread writes records in groups, and reports them only when they are on the disk."""

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


def test_a_record_is_on_the_disk_when_it_is_reported(tmp_path: Path) -> None:
    store, reported = Store(tmp_path), []

    def report(record: Record) -> None:
        assert store.record(record.spec) == record
        reported.append(record.spec.seed)

    with RecordWriter(store, report) as writer:
        for seed in range(50):
            writer.put(outcome(seed))
    assert reported == list(range(50))
    assert len(store.results()) == 50


def test_what_comes_while_the_disk_is_waited_for_is_one_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on, groups = threading.Event(), []

    def slow(self: Store, *outcomes: Outcome) -> list[Record]:
        going_on.wait(30)
        groups.append(len(outcomes))
        return [one.record for one in outcomes]

    monkeypatch.setattr(Store, "write", slow)
    with RecordWriter(Store(tmp_path), lambda record: None) as writer:
        for seed in range(20):
            writer.put(outcome(seed))
        going_on.set()
    assert sum(groups) == 20
    assert len(groups) <= 3, "the first alone or with a few, the rest together"


def test_a_full_disk_stops_the_run_and_reports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(contents: Any) -> None:
        if contents:
            raise InputError("no space")

    monkeypatch.setattr(atomic_files, "write_all", full)
    reported: list[Record] = []

    def run() -> None:
        with RecordWriter(Store(tmp_path), reported.append) as writer:
            for seed in range(1000):  # more than fit into memory: put must not wait for ever
                writer.put(outcome(seed))

    with pytest.raises(InputError, match="no space"):
        run()
    assert reported == []


def test_what_was_handed_over_is_written_when_the_run_is_interrupted(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def run() -> None:
        with RecordWriter(store, lambda record: None) as writer:
            writer.put(outcome(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(store.results()) == 1
