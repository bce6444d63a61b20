"""A node that stops answering, as where its machine hangs, is given up: what it had begun is begun again elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.executors.ray import RayExecutor
from pybench.plan import plan
from pybench.records import Record
from pybench.run import run
from pybench.store import Store
from pybench.suite import load_suite

from .listeners import Quiet

ray_cluster = pytest.importorskip("ray.cluster_utils")
# Ray asks its nodes seldom: a machine that hangs is missed after a minute. Here after three seconds.
QUICKLY = {"health_check_period_ms": 500, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}


class Freezing(Quiet):
    """Freezes a node, its workers first, when the first trial is told."""

    def __init__(self, node: Any) -> None:
        self.raylet: int = node.all_processes["raylet"][0].process.pid
        self.is_frozen = False

    def trial(self, record: Record, *, reused: bool) -> None:
        if not self.is_frozen:
            self.is_frozen = True
            children = Path(f"/proc/{self.raylet}/task/{self.raylet}/children").read_text().split()
            for process in [*map(int, children), self.raylet]:
                os.kill(process, signal.SIGSTOP)


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
    hung, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    registry.add_plugins(plugins)
    suite = write_suite("slow", extra="latency: null\nseeds: [0, 1, 2, 3]")
    planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root)
    listener = Freezing(hung)
    results = run(
        planned, Store(tmp_path / "run"), lambda: RayExecutor(cluster.address), force=False, listener=listener
    )
    assert listener.is_frozen
    assert [result.record.status for result in results] == ["ok"] * 8
    lost = [attempt for result in results for attempt in result.record.attempts]
    assert lost, "the node ran nothing when it froze"
    assert all("NodeDiedError" in attempt.reason for attempt in lost)
