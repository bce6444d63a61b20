"""How much faster four nodes of one core are than one: ``make scale`` runs it, on nodes that this machine simulates.

Where the machine has four cores trials compute, else they sleep for as long, because four could not compute at once.
Each cluster runs a few trials first, so that its workers' start is not measured.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import ray
from measure import Watch, prepare
from ray.cluster_utils import Cluster

from pybench.executors.ray import RayExecutor
from pybench.machine.environment import usable_cores
from pybench.results.store import Store
from pybench.run.run_plan import run

TRIALS, SECONDS = 24, 3.0
METHOD = '''
import time

import torch

from pybench.types import Citation, Method, MethodParams, Prediction

class Busy(Method):
    """Takes {seconds} s to fit."""

    name, Params, paper = "idle", MethodParams, Citation("none", "none", 2026)

    def fit(self, train):
        end = time.{clock}() + {seconds}
        while time.{clock}() < end:
            {wait}

    def predict(self, images):
        return Prediction(images.mean((1, 2, 3)), None)

    def state_dict(self):
        return {{}}

    def load_state_dict(self, state): ...
'''
KINDS = {
    "computing": METHOD.format(
        seconds=SECONDS, clock="process_time", wait="torch.rand(100, 100) @ torch.rand(100, 100)"
    ),
    "sleeping": METHOD.format(seconds=SECONDS, clock="monotonic", wait="time.sleep(0.05)"),
}


def main() -> None:
    kind = "computing" if usable_cores() >= 4 else "sleeping"
    context = multiprocessing.get_context("spawn")  # plug-ins and Ray's state are a process's own
    seconds = {}
    for nodes in (1, 4):
        with context.Pool(1) as pool:
            seconds[nodes] = pool.apply(took, (nodes, KINDS[kind]))
    print(json.dumps({
        "trials": TRIALS,
        "that_are": kind,
        **{f"seconds_on_{nodes}": round(value, 1) for nodes, value in seconds.items()},
        "times_as_fast": round(seconds[1] / seconds[4], 2),
    }, indent=1))  # fmt: skip


def took(nodes: int, method: str) -> float:
    """Seconds that a warm cluster takes for the suite."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=1)
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            planned = prepare(folder, method)
            executor = RayExecutor(cluster.address)
            run(planned(4 * nodes), Store(folder / "warm"), executor, force=False, listener=Watch())
            began = time.monotonic()
            watch = Watch()
            run(planned(TRIALS), Store(folder / "run"), executor, force=False, listener=watch)
            ended = time.monotonic()
            assert watch.statuses == {"ok": TRIALS}, watch.statuses
        return ended - began
    finally:
        with contextlib.suppress(Exception):
            ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    main()
