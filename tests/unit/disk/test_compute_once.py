"""A result is computed once, by the first process that asks; a damaged file is found, named and computed anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from pybench.disk.compute_once import Computed, compute_once
from pybench.types import InputError

FORK = multiprocessing.get_context("fork")


def make_slowly(folder: Path, key: str = "one") -> Computed:
    """Makes ``folder/made`` one line longer, in a second's work."""

    def make(underway: Path) -> bytes:
        with (folder / "made").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.5)
        return b"result"

    return compute_once(folder / "cache", key, make, lambda line: None)


def never(underway: Path) -> bytes:
    raise AssertionError("it is there already")


def test_it_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    assert compute_once(tmp_path, "key", lambda underway: b"first", print) == Computed(b"first", is_new=True)
    assert compute_once(tmp_path, "key", never, print) == Computed(b"first", is_new=False)
    assert compute_once(tmp_path, "other", lambda underway: b"second", print).content == b"second"


def test_two_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    processes = [FORK.Process(target=make_slowly, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len((tmp_path / "made").read_text().splitlines()) == 1


def test_where_the_maker_is_killed_the_next_one_goes_on_in_its_folder(tmp_path: Path) -> None:
    def half(underway: Path) -> bytes:
        underway.mkdir(parents=True)
        (underway / "step").write_text("7")
        time.sleep(60)
        return b""

    process = FORK.Process(target=compute_once, args=(tmp_path, "key", half, print))
    process.start()
    while not (tmp_path / "key.underway" / "step").is_file() or not (tmp_path / "key.underway" / "step").read_text():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    found = compute_once(tmp_path, "key", lambda underway: (underway / "step").read_bytes(), print)
    assert found == Computed(b"7", is_new=True)
    assert not (tmp_path / "key.underway").exists()


@pytest.mark.parametrize("damage", ["shorter", "changed", "empty"])
def test_a_damaged_file_is_named_and_made_anew(tmp_path: Path, damage: str) -> None:
    compute_once(tmp_path, "key", lambda underway: b"content", print)
    file = tmp_path / "key.kept"
    raw = file.read_bytes()
    file.write_bytes({"shorter": raw[:-1], "changed": raw[:-1] + b"!", "empty": b""}[damage])
    lines: list[str] = []
    found = compute_once(tmp_path, "key", lambda underway: b"content", lines.append)
    assert found == Computed(b"content", is_new=True, damaged=str(file))
    assert lines == [f"{file} is damaged; made anew"]
    assert compute_once(tmp_path, "key", never, print).content == b"content"


def test_a_failed_making_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        compute_once(tmp_path, "key", never, print)
    assert not (tmp_path / "key.kept").exists()
    assert compute_once(tmp_path, "key", lambda underway: b"second try", print).is_new


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/key\.lock: cannot be written"):
        compute_once(tmp_path / "file", "key", never, print)
