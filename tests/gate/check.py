"""Does the gate pass identical code, and does it find what is slower? `make gate-check`, half an hour on two cores.

In a clone of this repository, beside a process that uses a core in bursts: 20 gates of identical code, 10 with a
slow-down of 20 % planted in one op, 10 with one of 10 %, both beside two ops that must not be named. Prints what each
found as JSON; exit code 1 where identical code did not pass 20 times, +20 % was not found and named 10 times, or +10 %
not 8 times.

    python tests/gate/check.py [FOLDER]      # FOLDER keeps what each gate printed, its samples among it
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLANTED = "k_center"  # the case, and the op in pybench/ops/k_center.py
BESIDE = ("mutual_match, float32", "connected_regions")  # measured with the planted one
KINDS = ("identical", "plus_20", "plus_10")
SLOWED = '''

import time

_as_it_was = k_center


def k_center(points: Tensor, k: int, *, seed: int, backend: str = "auto") -> Tensor:
    """Takes {share:.0%} longer than it did."""
    started = time.perf_counter()
    chosen = _as_it_was(points, k, seed=seed, backend=backend)
    end = started + {factor} * (time.perf_counter() - started)
    while time.perf_counter() < end:
        pass
    return chosen
'''


def main() -> int:
    """All runs; 0 where the counts are what they should be."""
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder, background_load():
        clone = Path(folder) / "clone"
        make_clone(clone)
        printed: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for seed, kind in enumerate(
            kind for _ in range(10) for kind in ("identical", "plus_20", "identical", "plus_10")
        ):
            printed[kind].append(gate(clone, kind, seed))
            if kept is not None:
                (kept / f"{seed:02}-{kind}.json").write_text(json.dumps(printed[kind][-1]))
    found = {kind: summary(runs) for kind, runs in printed.items()}
    print(json.dumps(found, indent=2))
    passed = found["identical"]["exit_codes"].get(0, 0) == 20
    return 0 if passed and found["plus_20"]["named"] == 10 and found["plus_10"]["named"] >= 8 else 1


def make_clone(clone: Path) -> None:
    """A clone with the tag ``base``, and a branch for every kind of head, one commit on top of it."""
    git(ROOT, "clone", "--quiet", str(ROOT), str(clone))
    git(clone, "config", "user.name", "gate check")
    git(clone, "config", "user.email", "gate@check.invalid")
    git(clone, "tag", "base")
    changes = {"identical": "\n# A comment.\n", **{f"plus_{p}": slowed(p / 100) for p in (10, 20)}}
    for kind, text in changes.items():
        git(clone, "checkout", "--quiet", "-B", kind, "base")
        with (clone / "pybench/ops/k_center.py").open("a") as file:
            file.write(text)
        git(clone, "commit", "--quiet", "--all", "--message", kind)


def slowed(share: float) -> str:
    return SLOWED.format(share=share, factor=1 + share)


def gate(clone: Path, head: str, seed: int) -> dict[str, Any]:
    """What the gate printed, with its exit code and seconds."""
    started = time.monotonic()
    command = ["gate", "--base", "base", "--head", head, "--seed", str(seed), "--format", "json"]
    for case in () if head == "identical" else (PLANTED, *BESIDE):
        command += ["--case", case]
    done = subprocess.run([sys.executable, "-P", "-m", "pybench", *command], cwd=clone, capture_output=True, text=True)
    if done.returncode not in (0, 1, 3) or not done.stdout:
        raise RuntimeError(f"the gate ended with code {done.returncode}\n{done.stderr}")
    printed: dict[str, Any] = json.loads(done.stdout)
    seconds = round(time.monotonic() - started, 1)
    print(f"{head} {seed}: exit code {done.returncode}, {verdicts(printed)}, {seconds} s", file=sys.stderr, flush=True)
    return {**printed, "seconds": seconds}


def verdicts(printed: dict[str, Any]) -> dict[str, str]:
    """Of the cases that are something else than a pass, and of the planted one."""
    every = {case["case"]: case["verdict"] for case in printed["cases"]}
    return {name: verdict for name, verdict in every.items() if verdict != "pass" or name == PLANTED}


def summary(printed: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts over all runs: exit codes, verdicts, how often the planted case and it alone was named, its ratios."""
    others = Counter(f"{name}: {verdict}" for one in printed for name, verdict in verdicts(one).items())
    regressions = [
        [case["case"] for case in one["cases"] if case["verdict"] in ("regression", "crash", "missing")]
        for one in printed
    ]
    pairs = [
        pair for one in printed for case in one["cases"] if case["case"] == PLANTED for pair in case["process_pairs"]
    ]
    ratios = sorted(pair["median"] for pair in pairs)
    return {
        "exit_codes": Counter(one["exit_code"] for one in printed),
        "named": sum(names == [PLANTED] for names in regressions),
        "verdicts": others,
        "ratios_of_the_planted_case": [round(ratios[0], 3), round(ratios[len(ratios) // 2], 3), round(ratios[-1], 3)],
        "seconds": [min(one["seconds"] for one in printed), max(one["seconds"] for one in printed)],
    }


@contextmanager
def background_load() -> Iterator[None]:
    """A process that uses one core in bursts of 20 to 500 ms, half of the time."""
    process = multiprocessing.Process(target=burst, args=(os.getpid(),), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def burst(parent: int) -> None:
    """Ends with its parent."""
    generator = random.Random(0)
    while os.getppid() == parent:
        end = time.monotonic() + generator.uniform(0.02, 0.5)
        while time.monotonic() < end:
            pass
        time.sleep(generator.uniform(0.02, 0.5))


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
