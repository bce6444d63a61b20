"""What a trial asks a cluster for: cores, a share of GPUs, memory, and how many threads its libraries may start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pybench import registry
from pybench.machine.environment import THREAD_VARIABLES
from pybench.trial.job import Job
from pybench.types import Method


@dataclass(frozen=True)
class Demand:
    """Cores, GPUs (or a share of one) and bytes of memory; 0 asks for none in particular."""

    cores: int
    gpus: float
    memory: int

    @classmethod
    def of(cls, job: Job) -> Demand:
        """The demand of a job: what the suite's limits set, else what its method asks for."""
        method: type[Method] = registry.load("method", job.spec.method)
        gpus = method.gpus if job.gpus is None else job.gpus
        memory = method.memory_gb if job.memory_gb is None else job.memory_gb
        resources = job.spec.resources
        return cls(resources.threads, gpus if resources.device == "cuda" else 0, int(memory * 2**30))

    @classmethod
    def all_of(cls, node: Mapping[str, float]) -> Demand:
        """Everything that a node has; ``node`` maps Ray's names of resources to amounts."""
        return cls(int(node.get("CPU", 0)), node.get("GPU", 0), int(node.get("memory", 0)))

    def __str__(self) -> str:
        parts = [_counted(self.cores, "core")]
        parts += [_counted(self.gpus, "GPU")] if self.gpus else []
        parts += [f"{self.memory / 2**30:.3g} GB of memory"] if self.memory else []
        return ", ".join(parts)

    def fits(self, node: Mapping[str, float]) -> bool:
        """Whether an idle node has enough for this demand."""
        whole = Demand.all_of(node)
        return whole.cores >= self.cores and whole.gpus >= self.gpus and whole.memory >= self.memory

    def options(self) -> dict[str, Any]:
        """As options of a Ray task."""
        environment = dict.fromkeys(THREAD_VARIABLES, str(self.cores))
        asked: dict[str, Any] = {
            "num_cpus": self.cores,
            "num_gpus": self.gpus,
            "runtime_env": {"env_vars": environment},
        }
        return asked | ({"memory": self.memory} if self.memory else {})


def _counted(amount: float, what: str) -> str:
    return f"{amount:g} {what}{'s' if amount > 1 else ''}"
