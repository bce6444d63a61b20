"""Two drivers on one machine: no latency measurement overlaps a trial or another measurement of either."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pybench.results.store import Store

SEEDS = 6


def interval(started: str, finished: str) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(started), datetime.fromisoformat(finished)


def test_a_measurement_has_its_machine_alone(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    extra = f"latency: {{calls: 30, seconds: 0.5, processes: 1}}\nseeds: {list(range(SEEDS))}"
    suite = write_suite("slow", "difference", extra=extra)
    places = [tmp_path / "one", tmp_path / "two"]
    options = {"data-root": data_root, "plugins": plugins, "profile": "paper"}
    command = [sys.executable, "-m", "pybench", "run", str(suite)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    drivers = [
        subprocess.Popen([*command, "--out", str(place)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for place in places
    ]
    try:
        for driver in drivers:
            _, errors = driver.communicate(timeout=240)
            assert driver.returncode == 0, errors
    finally:
        for driver in drivers:
            driver.kill()
            driver.wait()
    results = [result for place in places for result in Store(place / "tiny").results()]
    trials = [interval(result.record.started, result.record.finished) for result in results]
    latencies = {result.latency.finished: result.latency for result in results if result.latency}
    measured = [interval(latency.started, latency.finished) for latency in latencies.values()]
    assert len(trials) == 2 * 2 * 2 * SEEDS
    assert len(measured) == 2 * 2
    for began, ended in measured:
        assert began < ended
        others = [*trials, *(other for other in measured if other != (began, ended))]
        assert all(other_ended <= began or ended <= other_began for other_began, other_ended in others)
    spans = [
        interval(
            min(result.record.started for result in Store(place / "tiny").results()),
            max(result.latency.finished for result in Store(place / "tiny").results() if result.latency),
        )
        for place in places
    ]
    assert max(began for began, _ in spans) < min(ended for _, ended in spans), "they never met: nothing was shown"
