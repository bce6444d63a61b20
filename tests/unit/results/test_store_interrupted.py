"""A write of records that is interrupted at any system call leaves the old record or the new one, each complete."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.records import Outcome, Record
from pybench.results.store import Store
from pybench.spec import TrialSpec
from pybench.types import InputError

FAIL, KILL_BEFORE, KILL_AFTER = range(3)  # as in faulty.c
FAULTS = {
    "disk full": (FAIL, errno.ENOSPC),
    "input/output error": (FAIL, errno.EIO),
    "killed before": (KILL_BEFORE, 0),
    "killed after": (KILL_AFTER, 0),
}
WRITTEN, REFUSED, KILLED = 0, 3, -9  # how an attempt ends


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")
    made = tmp_path_factory.mktemp("faulty") / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("before", ["over a record", "the first", "a group"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_commit(library: Path, tmp_path: Path, fault: str, before: str) -> None:
    finished_process = subprocess.run(
        [sys.executable, "-m", "tests.unit.results.test_store_interrupted", library, tmp_path, fault, before],
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished_process.returncode == 0, finished_process.stderr
    seen: dict[str, Any] = json.loads(finished_process.stdout.splitlines()[-1])
    assert seen["calls"] >= 20
    flushed = "syncfs" if before == "a group" else "fsync"
    assert set(seen["names"]) >= {"open", "write", flushed, "rename"}
    kills = FAULTS[fault][0] != FAIL
    assert seen["endings"].get(str(KILLED if kills else REFUSED), 0) > seen["calls"] / 2
    if kills:
        assert seen["endings"] == {str(KILLED): seen["calls"]}
        assert seen["left"]["new"] > 0
    assert seen["left"]["none" if before == "the first" else "old"] > 0


# --- what the process with the library does -----------------------------------------------------------------------


def outcome(finished: str, seed: int) -> Outcome:
    spec = TrialSpec(
        suite="a", dataset="b", category="c", method="d", params={}, seed=seed, profile="quick", metrics=("m",)
    )
    record = Record(key=spec.key(), spec=spec, status="ok", metrics={"m": 0.5}, finished=finished)
    generator = np.random.default_rng([len(finished), seed])
    return Outcome(record, {"scores": generator.random(4000)}, examples=f"{finished} {seed}".encode() * 100)


def commit(store: Store, finished: str, count: int) -> None:
    store.write(*(outcome(finished, seed) for seed in range(count)))


def attempt(faulty: ctypes.CDLL, folder: Path, at: int, fault: tuple[int, int], count: int) -> int:
    """Commit the new records in a process of its own; how that ended."""
    process = os.fork()
    if not process:
        faulty.faulty_arm(at, *fault)
        try:
            commit(Store(folder), "new", count)
        except InputError:
            os._exit(REFUSED)
        os._exit(WRITTEN)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def left(folder: Path, count: int) -> str:
    """Which records are there, each seen to be whole with all that it names."""
    results = Store(folder).results()
    if not results:
        return "none"
    assert len(results) == count
    home = folder / "b" / "c" / "d"
    for result in results:
        for name in (result.record.curves, result.record.examples):
            assert name is not None
            assert hashlib.sha256((home / name).read_bytes()).hexdigest().startswith(Path(name).stem), (
                f"{name} is a part"
            )
    finished = {result.record.finished for result in results}
    assert finished <= {"older", "new"}
    return {"older": "old", "new": "new"}[finished.pop()] if len(finished) == 1 else "mixed"


def main(library: str, work: str, fault: str, before: str) -> None:
    count = 3 if before == "a group" else 1  # three have six files beside them: more than are flushed one by one
    faulty = ctypes.CDLL(library)
    faulty.faulty_names.restype = ctypes.c_char_p
    origin = Path(work) / "origin"
    origin.mkdir()
    if before != "the first":
        commit(Store(origin), "older", count)
    for counted in (Path(work) / "warm", Path(work) / "counted"):  # the first commit of a process imports modules
        shutil.copytree(origin, counted)
        faulty.faulty_arm(0, 0, 0)
        commit(Store(counted), "new", count)
    calls, names = faulty.faulty_calls(), faulty.faulty_names().decode().split()
    assert left(counted, count) == "new"
    endings: dict[int, int] = {}
    what_is_left = {"old": 0, "new": 0, "none": 0, "mixed": 0}
    for at in range(1, calls + 1):
        folder = Path(work) / str(at)
        shutil.copytree(origin, folder)
        ending = attempt(faulty, folder, at, FAULTS[fault], count)
        assert ending in (WRITTEN, REFUSED, KILLED), f"{names[at - 1]}, call {at}: ended with {ending}"
        there = left(folder, count)
        allowed = {"new", left(origin, count), *(["mixed"] if count > 1 else [])}
        assert there in allowed, f"{names[at - 1]}, call {at}: {there} is left"
        assert there == "new" or ending != WRITTEN, f"{names[at - 1]}, call {at}: acknowledged, but not there"
        endings[ending] = endings.get(ending, 0) + 1
        what_is_left[there] += 1
        commit(Store(folder), "new", count)
        assert left(folder, count) == "new", f"{names[at - 1]}, call {at}: cannot be written again"
    print(json.dumps({"calls": calls, "names": sorted(set(names)), "endings": endings, "left": what_is_left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
