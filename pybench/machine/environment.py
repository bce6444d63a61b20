"""The machine and the versions of libraries, as records name them; no library is imported to find them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "numpy": "numpy",
    "faiss": "faiss-cpu",
    "ray": "ray",
}
# OpenMP, MKL, OpenBLAS and numexpr read these when they are loaded. Torch's own setting does not change the others.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_CGROUP = Path("/sys/fs/cgroup")


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Python, platform, CPU, cores, memory (MiB), GPUs and versions of libraries, of this machine; read once."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_mb": memory_mb(),
        "gpus": [name for (name,) in nvidia(["name"])],
        "versions": {"pybench": _version("pybench")} | {name: _version(package) for name, package in LIBRARIES.items()},
    }


def machine(environment: Mapping[str, Any]) -> str:
    """One line about a record's machine, such as ``AMD EPYC 7B13, 2 cores, 8 GB, no GPU``; empty where unknown."""
    if not environment.get("cpu"):
        return ""
    gpus = environment.get("gpus") or []
    counted = [f"{gpus.count(name)} x {name}" if gpus.count(name) > 1 else name for name in dict.fromkeys(gpus)]
    memory = environment.get("memory_mb")
    parts = [environment["cpu"], f"{environment.get('cores', '?')} cores"]
    parts += [f"{memory / 1024:.0f} GB"] if memory else []
    return ", ".join([*parts, *(counted or ["no GPU"])])


def usable_cores() -> int:
    """CPU cores that this process may use: its affinity, and the control group's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = text_of(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def memory_mb() -> int:
    """Memory in MiB that this process may use: the machine's, or the control group's limit where that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = text_of(_CGROUP / "memory.max")
    return (min(total, int(limit)) if limit.isdigit() else total) // 2**20


def _cpu_model() -> str:
    for line in text_of(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def text_of(path: Path) -> str:
    """A file of the system as text, without white space around it; empty where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def nvidia(fields: Sequence[str]) -> list[list[str]]:
    """The values of these fields (as ``nvidia-smi --help-query-gpu`` names them) for each NVIDIA GPU.

    Empty where the driver's tool is not installed or fails. Torch is not asked, because importing it takes seconds.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[value.strip() for value in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
    return [row for row in rows if len(row) == len(fields)] if answer.returncode == 0 else []


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
