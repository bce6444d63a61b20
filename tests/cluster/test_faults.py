"""A nemesis kills workers, nodes and the driver of a run on three nodes: nothing that was acknowledged may be lost."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors.inline import InlineExecutor
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from tests.cluster.listeners import Quiet

SEED = int(os.environ.get("PYBENCH_NEMESIS_SEED", "0"))
SEEDS = 15  # of the suite: so many trials a category
KILLS = 7
LONGEST = 240.0  # seconds
LINE = re.compile(r"(\w+) slow seed (\d+): image AUROC ([\d.]+)")

ray_cluster = pytest.importorskip("ray.cluster_utils")


class Nodes:
    """Three nodes with a core each; the first cannot be killed, because it holds the cluster's state."""

    def __init__(self) -> None:
        self.cluster = ray_cluster.Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.others = [self.cluster.add_node(num_cpus=1) for _ in range(2)]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def workers(self) -> list[int]:
        """Processes that run a trial now."""
        raylets = {node.all_processes["raylet"][0].process.pid for node in self.cluster.list_all_nodes()}
        return [process for process in children(raylets) if "locked_trial" in command_line(process)]

    def kill_worker(self, random: random.Random) -> bool:
        workers = self.workers()
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
        return bool(workers)

    def kill_node(self, random: random.Random) -> bool:
        """Another takes its place."""
        node = self.others.pop(random.randrange(len(self.others)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.others.append(self.cluster.add_node(num_cpus=1))
        return True


def children(parents: set[int]) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) in parents:
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


class Driver:
    """``pybench run`` in a process of its own, begun again whenever it is killed or ends with a failed trial."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log
        self.starts = 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command, stdout=log, stderr=log)

    def kill(self, random: random.Random) -> bool:
        if not self.acknowledged():
            return False  # it would have nothing to lose
        self.process.kill()
        self.process.wait()
        self.process = self._start()
        return True

    def has_finished(self) -> bool:
        ended = self.process.poll()
        if ended is not None and ended != 0:
            self.process = self._start()
        return ended == 0

    def acknowledged(self) -> dict[tuple[str, int], str]:
        """Trials that were printed for the user: category and seed, and the image AUROC as printed."""
        lines = LINE.findall(self.log.read_text())
        return {(category, int(seed)): value for category, seed, value in lines}


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    made.cluster.shutdown()


def by_name(records: list[Record]) -> dict[tuple[str, int], Record]:
    return {(record.spec.category, record.spec.seed): record for record in records}


def test_nothing_acknowledged_is_lost(
    nodes: Nodes, data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    print(f"PYBENCH_NEMESIS_SEED={SEED}")
    suite = write_suite("slow", extra=f"latency: null\nseeds: {list(range(SEEDS))}")
    out, log = tmp_path / "results", tmp_path / "driver.log"
    options = {"data-root": data_root, "plugins": plugins, "profile": "paper", "out": out, "address": nodes.address}
    command = [sys.executable, "-m", "pybench", "run", str(suite)]
    driver = Driver([*command, *(part for name, value in options.items() for part in (f"--{name}", str(value)))], log)
    kills: Counter[str] = Counter()
    nemesis = random.Random(SEED)
    deeds = {"worker": nodes.kill_worker, "driver": driver.kill, "node": nodes.kill_node}
    deadline = time.monotonic() + LONGEST
    try:
        while not driver.has_finished():
            assert time.monotonic() < deadline, f"not finished in {LONGEST} s; {log.read_text()[-2000:]}"
            time.sleep(nemesis.uniform(0.2, 2.0))
            if driver.acknowledged() and kills.total() < KILLS:
                missing = [name for name in deeds if not kills[name]]
                name = nemesis.choice(missing or ["worker", "worker", "worker", "driver"])
                acknowledged = driver.acknowledged()
                kills[name] += deeds[name](nemesis)
                stored = by_name([result.record for result in Store(out / "tiny").results()])
                assert acknowledged.keys() <= stored.keys(), f"lost after the {name} was killed"
    finally:
        driver.process.kill()
        driver.process.wait()
    print(f"killed {dict(kills)}; the driver was started {driver.starts} times")
    assert all(kills[name] for name in deeds), f"not everything was killed: {kills}"
    acknowledged = driver.acknowledged()
    results = [result.record for result in Store(out / "tiny").results()]
    stored = by_name(results)
    assert len(results) == len(stored) == 2 * SEEDS
    assert acknowledged.keys() == stored.keys()
    registry.add_plugins(plugins)
    planned = plan(*load_suite(str(suite)), profile="paper", data_root=data_root)
    calm = run(planned, Store(tmp_path / "calm"), InlineExecutor(), force=False, listener=Quiet())
    expected = by_name([result.record for result in calm])
    for name, record in stored.items():
        assert record.status == "ok"
        assert record.metrics == expected[name].metrics
        assert f"{100 * (record.metrics['image_auroc'] or 0):.1f}" == acknowledged[name]
