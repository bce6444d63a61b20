"""A latency that is measured under Ray beside a busy process of somebody else is flagged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pybench import registry
from pybench.executors.lazy import LazyExecutor
from pybench.executors.ray import RayExecutor
from pybench.machine.environment import usable_cores
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.run_plan import run
from tests.cluster.listeners import Quiet


def test_a_noisy_neighbour_is_flagged(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    registry.add_plugins(plugins)
    extra = "latency: {calls: 30, seconds: 0.5, processes: 1, batch_sizes: []}"
    suite = write_suite("difference", extra=extra, categories="[lid]")
    planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root)
    noise: list[subprocess.Popen[bytes]] = []

    def noisy() -> RayExecutor:
        """The noise begins when Ray has started, and is as nice as Ray's workers, or these would hardly run."""
        executor = RayExecutor(None)
        busy = [sys.executable, "-c", "import os; os.nice(15)\nwhile True: pass"]
        noise.extend(subprocess.Popen(busy) for _ in range(usable_cores()))
        return executor

    try:
        with LazyExecutor(noisy) as executor:
            (result,) = run(planned, Store(tmp_path / "run"), executor, force=False, listener=Quiet())
    finally:
        for process in noise:
            process.kill()
            process.wait()
    assert result.latency is not None
    assert result.latency.manifest["cpu_share_of_others"] > 0.1
    assert any(flag.startswith("busy machine: others used") for flag in result.latency.flags)
