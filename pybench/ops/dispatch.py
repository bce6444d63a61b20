"""Choice of the implementation that runs an op, and the record of which one ran.

The implementations of an op are tried in order, best first: CUDA, the instruction-set levels of the CPU, the reference.
An implementation that cannot run on this machine, or not on these arguments, says why. ``backend="auto"`` takes the
first one that can run. A named backend is forced: if it cannot run, that is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from pybench.types import InputError

_registry: dict[str, Op] = {}
_recorders: ContextVar[tuple[dict[str, str], ...]] = ContextVar("recorders", default=())


def _suits(*arguments: Any) -> str:
    return ""


@dataclass(frozen=True)
class Implementation:
    """One way to run an op.

    ``unavailable`` and ``unsuited`` give the reason why it cannot run on this machine and on these arguments; an empty
    reason means that it can.
    """

    backend: str
    run: Callable[..., Any]
    unavailable: Callable[[], str] = lambda: ""
    unsuited: Callable[..., str] = _suits


class Op:
    """A named op with its implementations, best first."""

    def __init__(self, name: str, implementations: Sequence[Implementation]) -> None:
        self.name = name
        self.implementations = tuple(implementations)
        _registry[name] = self

    def __call__(self, backend: str, *arguments: Any) -> Any:
        """Run on the named backend, or for ``auto`` on the best that can run, and note which one ran.

        Raises:
            InputError: the backend is unknown or cannot run; the message gives all reasons.
        """
        implementation = self._choose(backend, arguments)
        result = implementation.run(*arguments)
        for used in _recorders.get():
            _note(used, self.name, implementation.backend)
        return result

    def _choose(self, backend: str, arguments: tuple[Any, ...]) -> Implementation:
        known = [implementation.backend for implementation in self.implementations]
        if backend != "auto" and backend not in known:
            raise InputError(f"{self.name} has no backend {backend!r}; it has: auto, {', '.join(known)}")
        reasons = []
        for implementation in self.implementations:
            if backend in ("auto", implementation.backend):
                reason = implementation.unavailable() or implementation.unsuited(*arguments)
                if not reason:
                    return implementation
                reasons.append(f"{implementation.backend}: {reason}")
        raise InputError(f"{self.name} cannot run with backend {backend!r}: {'; '.join(reasons)}")


def _note(used: dict[str, str], op: str, backend: str) -> None:
    names = set(used[op].split("+")) if op in used else set()
    used[op] = "+".join(sorted(names | {backend}))


@contextmanager
def record() -> Iterator[dict[str, str]]:
    """Note which backend ran each op inside the ``with`` block: a dict from op to backend.

    The names of several backends of one op are joined by ``+``. Blocks may be nested. The block belongs to its context
    (``contextvars``): ops in a thread that is started inside are noted only if it runs in a copy of that context.
    """
    used: dict[str, str] = {}
    token = _recorders.set((*_recorders.get(), used))
    try:
        yield used
    finally:
        _recorders.reset(token)


def backends() -> dict[str, dict[str, str]]:
    """The backends of every op, best first, each with the reason why it cannot run here; empty if it can."""
    return {name: {i.backend: i.unavailable() for i in op.implementations} for name, op in sorted(_registry.items())}


@cache
def _simd_levels() -> dict[str, str] | str:
    try:
        import pybench._cpu as _cpu
    except ImportError as error:
        return f"the extension pybench._cpu is not installed ({error}); install the package with pip to build it"
    return dict(_cpu.simd_levels())


def native(run: Callable[..., Any], dtype: torch.dtype = torch.float32) -> list[Implementation]:
    """The native implementations of an op, one for each instruction-set level, best first.

    Args:
        run: takes the level's name and the op's arguments, of which the first is a tensor on the CPU.
        dtype: of that tensor.
    """
    return [
        Implementation(level, partial(run, level), partial(_unavailable, level), partial(_unsuited, dtype))
        for level in ("avx512", "avx2", "portable")
    ]


def portable(run: Callable[..., Any]) -> Implementation:
    """The native implementation of an op that is compiled once, because wider instructions do not make it faster."""
    return Implementation("portable", run, partial(_unavailable, "portable"))


def _unavailable(level: str) -> str:
    levels = _simd_levels()
    return levels if isinstance(levels, str) else levels[level]


def _unsuited(dtype: torch.dtype, tensor: Tensor, *_: object) -> str:
    if tensor.device.type != "cpu":
        return f"the tensors are on {tensor.device}, not on the CPU"
    return "" if tensor.dtype == dtype else f"it takes {str(dtype).removeprefix('torch.')}, not {tensor.dtype}"


@cache
def _cuda_unavailable() -> str:
    try:
        import pybench._cuda  # noqa: F401
    except ImportError as error:
        return (
            f"the extension pybench._cuda is not installed ({error}); "
            "it is built where a CUDA compiler (nvcc) is found when the package is installed"
        )
    return "" if torch.cuda.is_available() else "torch sees no NVIDIA GPU"


def _cuda_unsuited(tensor: Tensor, *_: object) -> str:
    if tensor.device.type != "cuda":
        return f"the tensors are on {tensor.device}, not on a GPU"
    if torch.cuda.get_device_capability(tensor.device) < (8, 0):
        return f"it needs a GPU of compute capability 8.0 or newer, unlike {torch.cuda.get_device_name(tensor.device)}"
    return "" if tensor.dtype == torch.float32 else f"it takes float32, not {tensor.dtype}"


def cuda(run: Callable[..., Any], unsuited: Callable[..., str] = _suits) -> Implementation:
    """The implementation of an op for NVIDIA GPUs.

    Args:
        run: takes the op's arguments, of which the first is a tensor: float32 on a GPU. It calls ``pybench._cuda``
            inside ``current_stream``, with tensors that it has allocated itself, and does not wait for the result.
        unsuited: returns another reason why it cannot run on these arguments; empty if there is none.
    """

    def reason(*arguments: Any) -> str:
        return _cuda_unsuited(*arguments) or unsuited(*arguments)

    return Implementation("cuda", run, _cuda_unavailable, reason)


@contextmanager
def current_stream(tensor: Tensor) -> Iterator[int]:
    """Make the tensor's GPU the current one inside the ``with`` block; yields its current stream as an integer."""
    with torch.cuda.device(tensor.device):
        yield torch.cuda.current_stream().cuda_stream


def capsule(tensor: Tensor) -> Any:
    """The tensor as a DLPack capsule for ``pybench._cuda``, without making streams wait for each other."""
    return tensor.detach().__dlpack__(stream=-1)
