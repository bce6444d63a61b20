"""Greedy k-centre selection: a subset with a member near every point (PatchCore, Roth et al. 2022, Alg. 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from pybench.ops.dispatch import Implementation, Op, native
from pybench.types import InputError

SKETCH = 32  # dimensions of a sketch: 128 bytes, two lines of a cache
SKETCH_SAMPLE = 16384  # about so many points tell the principal directions
BLOCK = 65536  # points that are sketched at once; bounds the memory in float64


@torch.no_grad()
def k_center(points: Tensor, k: int, *, seed: int, backend: str = "auto") -> Tensor:
    """Indices of ``k`` points chosen greedily: the next one is always the point farthest from all chosen points.

    Backends round differently: where two points are equally far within rounding, they may choose different ones.

    Args:
        points: finite floats [N, D]; distances are Euclidean.
        k: from 1 to N.
        seed: draws the first point.
        backend: ``auto``, or one of ``avx512``, ``avx2``, ``portable``, ``reference`` to force it. Native backends take
            float32 on the CPU, and look at few pairs: points that are surely not the farthest wait.

    Returns:
        int64 [k] on the CPU, in the order of selection; the smallest index wins ties.

    Raises:
        InputError: ``points`` has another shape or is not finite, ``k`` is out of range, or the backend cannot run.
    """
    if points.ndim != 2:
        raise InputError(f"points must be [N, D], but have the shape {list(points.shape)}")
    if not 1 <= k <= len(points):
        raise InputError(f"k must lie in [1, {len(points)}], but is {k}")
    if not torch.isfinite(points).all():
        raise InputError("points must be finite, but there is a NaN or an infinity among them")
    first = int(torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(seed)))
    chosen: Tensor = _op(backend, points, k, first)
    return chosen


def _reference(points: Tensor, k: int, first: int) -> Tensor:
    """Plain torch: one pass over all points per selection."""
    nearest = torch.full((len(points),), torch.inf, dtype=points.dtype, device=points.device)
    chosen = torch.empty(k, dtype=torch.int64)
    newest = first
    for position in range(k):
        chosen[position] = newest
        torch.minimum(nearest, (points - points[newest]).square().sum(1), out=nearest)
        nearest[newest] = -torch.inf
        newest = int(nearest.argmax())
    return chosen


def _native(level: str, points: Tensor, k: int, first: int) -> Tensor:
    import pybench._cpu as _cpu

    chosen = torch.empty(k, dtype=torch.int64)
    rows = points.detach().contiguous()
    sketches = rows if rows.shape[1] <= 2 * SKETCH else make_sketches(rows)
    arguments = rows.__dlpack__(), sketches.__dlpack__(), first, torch.get_num_threads(), chosen.__dlpack__()
    _cpu.k_center(level, *arguments)
    return chosen


def make_sketches(points: Tensor) -> Tensor:
    """Short vectors [N, SKETCH] whose distances are never larger than those of the points [N, D], but mostly close.

    They are the coordinates along orthonormal directions in which the points extend the most (found by a step of
    subspace iteration), and as the last one the norm of what remains: norms differ by no more than the vectors do.
    Computed in float64, so that only the result is rounded.
    """
    sample = points[:: max(1, len(points) // SKETCH_SAMPLE)].double()
    centre = sample.mean(0)
    sample -= centre
    start = torch.randn(points.shape[1], SKETCH - 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = torch.linalg.qr(sample.T @ (sample @ start)).Q
    sketches = points.new_empty(len(points), SKETCH)
    for block, written in zip(points.split(BLOCK), sketches.split(BLOCK), strict=True):
        centred = block.double() - centre
        written[:, :-1] = coordinates = centred @ directions
        rest = centred.square().sum(1) - coordinates.square().sum(1)
        written[:, -1] = rest.clamp(min=0).sqrt()
    return sketches


_op = Op("k_center", [*native(_native), Implementation("reference", _reference)])
