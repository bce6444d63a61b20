"""Times and errors on the GPU, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 10


@dataclass(frozen=True)
class Case:
    """One case of an op: its largest error against float64, and times in milliseconds where it is timed."""

    op: str
    name: str
    error: float
    tolerance: float
    ours_ms: float | None = None
    baselines_ms: dict[str, float] | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def milliseconds(run: Callable[[], object]) -> float:
    """Median over rounds by CUDA events, of the public function with its Python part."""
    for _ in range(2):
        run()
    times = []
    for _ in range(ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def largest_error(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; infinite where only one of the two is NaN."""
    if actual.shape != expected.shape or not torch.equal(actual.isnan(), expected.isnan()):
        return float("inf")
    differences = (actual.double() - expected.double()).abs().nan_to_num()
    return float(differences.max()) if differences.numel() else 0.0


def tensor_peak(dtype: torch.dtype, size: int = 8192) -> float:
    """TFLOP/s of a large ``torch.mm``; float32 is multiplied in TF32."""
    a, b = torch.randn(2, size, size, device="cuda", dtype=dtype)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        return 2 * size**3 / milliseconds(lambda: a @ b) / 1e9
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def table(cases: list[Case]) -> str:
    lines = ["| op | case | error | ours ms | baselines: ms (ratio) | |", "|---|---|---|---|---|---|"]
    for case in cases:
        ours = "" if case.ours_ms is None else f"{case.ours_ms:.3f}"
        baselines = ", ".join(
            f"{n}: {ms:.3f} ({ms / case.ours_ms:.1f}x)" for n, ms in (case.baselines_ms or {}).items()
        )
        error = f"{case.error:.1e}" + ("" if case.passed else f" FAILED, above {case.tolerance:.0e}")
        lines.append(f"| {case.op} | {case.name} | {error} | {ours} | {baselines} | {case.note} |")
    return "\n".join(lines)
