"""A node that stops answering, as where its machine hangs, is given up: what it had begun is begun again elsewhere."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.executors.ray import RayExecutor
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.run_plan import run
from tests.cluster.listeners import Quiet

ray_cluster = pytest.importorskip("ray.cluster_utils")
# Ray asks its nodes seldom: a machine that hangs is missed after a minute. Here after some seconds.
QUICKLY = {"health_check_period_ms": 500, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}


class Freezer:
    """Freezes a node, its workers first, as soon as two trials have begun; then lets trials come to their end."""

    def __init__(self, node: Any, underway: Path, marker: Path) -> None:
        self.raylet: int = node.all_processes["raylet"][0].process.pid
        self.underway, self.marker = underway, marker
        self.frozen: list[int] = []

    def freeze(self) -> None:
        while len(list(self.underway.glob("*/progress"))) < 2:
            time.sleep(0.05)
        children = Path(f"/proc/{self.raylet}/task/{self.raylet}/children").read_text().split()
        for process in [*map(int, children), self.raylet]:
            os.kill(process, signal.SIGSTOP)
            self.frozen.append(process)
        self.marker.touch()

    def kill(self) -> None:
        """Frozen processes do not notice that the cluster has ended."""
        for process in self.frozen:
            os.kill(process, signal.SIGKILL)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """The first node is the driver's, and runs nothing."""
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICKLY}
    made = ray_cluster.Cluster(initialize_head=True, head_node_args=head)
    yield made
    made.shutdown()


def test_a_hung_node_is_given_up(
    cluster: Any, data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    """Each of two nodes begins a trial and waits in it; then one of them hangs."""
    hung, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    registry.add_plugins(plugins)
    suite = write_suite("waits", extra="latency: null\nseeds: [0, 1, 2]")
    marker, store = tmp_path / "marker", Store(tmp_path / "run")
    overrides = {"waits.marker": str(marker)}
    planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root, overrides=overrides)
    freezer = Freezer(hung, store.progress_folders, marker)
    threading.Thread(target=freezer.freeze, daemon=True).start()
    try:
        with closing(RayExecutor(cluster.address)) as executor:
            results = run(planned, store, executor, force=False, listener=Quiet())
    finally:
        freezer.kill()
    assert [result.record.status for result in results] == ["ok"] * 6
    (lost,) = (attempt for result in results for attempt in result.record.attempts)
    assert "NodeDiedError" in lost.reason
