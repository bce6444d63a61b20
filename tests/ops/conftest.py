"""Other builds of the extensions: with sanitizers (.ci/sanitize), and GPU kernels on the CPU (docs/design/gpu.md)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

import pybench
from pybench.ops import dispatch

# The extension to test in the place of the installed one.
SANITIZED = os.environ.get("PYBENCH_CPU_EXTENSION")
ROOT = Path(__file__).parents[2]
FLAGS = [
    "-std=gnu++17",
    "-O2",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    "-DPYBENCH_CUDA_ON_HOST",
]


def _load(name: str, file: str | Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if SANITIZED:
    sys.modules["pybench._cpu"] = pybench.__dict__["_cpu"] = _load("pybench._cpu", SANITIZED)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What does not run that build has nothing to show to a sanitizer."""
    if SANITIZED:
        without = [
            item for item in items if "[reference" in item.name or "on_host" in getattr(item, "fixturenames", ())
        ]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def _cuda_on_host() -> ModuleType:
    """The module ``pybench._cuda``, of which every kernel runs in the emulation of tests/cuda_on_host."""
    headers = [*ROOT.glob("csrc/**/*.h"), *ROOT.glob("tests/cuda_on_host/*.h")]
    sources = [*ROOT.glob("csrc/cuda/**/*.cu"), *ROOT.glob("tests/cuda_on_host/*.cpp")]
    sources += [ROOT / "csrc/bindings_cuda.cpp", ROOT / "csrc/shared/tensor_view.cpp"]
    digest = hashlib.sha256(" ".join([sys.version, torch.__version__, *FLAGS]).encode())
    for file in sorted(headers + sources):
        digest.update(file.read_bytes())
    library = ROOT / "build/cuda_on_host" / f"{digest.hexdigest()}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        _compile(sources, library)
    return _load("on_host._cuda", library)


def _compile(sources: list[Path], library: Path) -> None:
    """The result appears at once, because other workers may look for it."""
    includes = [
        f"-I{ROOT / 'csrc'}",
        f"-I{ROOT / 'tests/cuda_on_host'}",
        f"-isystem{sysconfig.get_path('include')}",
        f"-isystem{Path(torch.__file__).parent / 'include'}",  # torch brings pybind11
    ]

    def run(*arguments: str) -> None:
        command = [os.environ.get("CXX", "c++"), *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stderr}"

    with tempfile.TemporaryDirectory(dir=library.parent) as folder, ThreadPoolExecutor(2) as pool:
        objects = [f"{folder}/{source.name}.o" for source in sources]
        commands = [[*FLAGS, *includes, "-xc++", "-c", str(s), "-o", o] for s, o in zip(sources, objects, strict=True)]
        list(pool.map(lambda command: run(*command), commands))
        run("-shared", *objects, "-o", f"{folder}/library")
        Path(folder, "library").rename(library)


@pytest.fixture
def on_host(_cuda_on_host: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """``on_host(op, *arguments)`` runs the op's CUDA implementation on tensors of the CPU."""
    monkeypatch.setitem(sys.modules, "pybench._cuda", _cuda_on_host)
    monkeypatch.setattr(pybench, "_cuda", _cuda_on_host, raising=False)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))

    def run(op: str, *arguments: Any) -> Any:
        implementations = dispatch._registry[op].implementations
        return next(i.run for i in implementations if i.backend == "cuda")(*arguments)

    return run
