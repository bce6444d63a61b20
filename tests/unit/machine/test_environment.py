"""How a machine is named."""

from __future__ import annotations

import sys

import numpy as np

from pybench.machine.environment import environment, machine


def test_environment_names_the_machine() -> None:
    here = environment()
    assert here["python"] == ".".join(map(str, sys.version_info[:3]))
    assert here["cores"] >= 1
    assert here["versions"]["numpy"] == np.__version__
    assert machine({"cpu": "Z80", "cores": 1, "memory_mb": 2048, "gpus": ["G", "G"]}) == "Z80, 1 cores, 2 GB, 2 x G"
    assert machine({}) == ""
