"""Folders of the cache with a size limit: their variables, their size, and which files go first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybench.disk import size_limit
from pybench.disk.size_limit import BoundedFolder, mark_as_used
from pybench.types import InputError

FOLDER = BoundedFolder("things", suffix=".bin", variable="PYBENCH_TEST_GB", default_gb=2.5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(size_limit, "_SPARED", 0)


def write_files(*names: str) -> None:
    """Files of 100 bytes, each used a second after the one before."""
    FOLDER.path.mkdir(exist_ok=True)
    for second, name in enumerate(names):
        (FOLDER.path / name).write_bytes(bytes(100))
        os.utime(FOLDER.path / name, (second, second))


def set_limit(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setenv("PYBENCH_TEST_GB", repr(size / 2**30))


def names() -> list[str]:
    return sorted(file.name for file in FOLDER.path.iterdir())


def test_the_limit_is_in_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FOLDER.limit() == 2.5 * 2**30
    for given, expected in (("", 2.5 * 2**30), ("0", 0), ("0.25", 2**28)):
        monkeypatch.setenv("PYBENCH_TEST_GB", given)
        assert FOLDER.limit() == expected


@pytest.mark.parametrize("given", ["many", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PYBENCH_TEST_GB", given)
    with pytest.raises(InputError, match=f"PYBENCH_TEST_GB: expected a number of gigabytes.*'{given}'"):
        FOLDER.limit()


def test_the_size_counts_files_of_the_suffix(tmp_path: Path) -> None:
    assert FOLDER.path == tmp_path / "things"
    assert FOLDER.size() == 0, "the folder is not there"
    write_files("a.bin", ".half-written.bin", "lock")
    assert FOLDER.size() == 200


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    write_files("lock", "a.bin", "b.bin", "c.bin", "d.bin")
    mark_as_used(FOLDER.path / "a.bin")
    set_limit(monkeypatch, 400)
    FOLDER.make_room(0)
    assert names() == ["a.bin", "b.bin", "c.bin", "d.bin", "lock"]
    FOLDER.make_room(101)
    assert names() == ["a.bin", "d.bin", "lock"]


def test_the_disk_is_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    write_files("a.bin", "b.bin")
    monkeypatch.setattr(size_limit, "_SPARED", 2**62)
    FOLDER.make_room(0)
    assert names() == []
