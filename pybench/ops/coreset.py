"""Greedy k-centre selection: a subset to which no point is far (PatchCore's memory bank, Roth et al. 2022, Alg. 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def k_center(points: Tensor, k: int, *, seed: int) -> Tensor:
    """Indices of ``k`` points chosen greedily: each is the one farthest from all that are chosen already.

    Args:
        points: float [N, D]; distances are Euclidean.
        k: from 1 to N.
        seed: draws the first point.

    Returns:
        int64 [k], in the order of selection; the smallest index wins ties.
    """
    if points.ndim != 2:
        raise ValueError(f"points must be [N, D], got {list(points.shape)}")
    if not 1 <= k <= len(points):
        raise ValueError(f"k must lie in [1, {len(points)}], got {k}")
    generator = torch.Generator().manual_seed(seed)
    newest = int(torch.randint(len(points), (1,), generator=generator))
    squares = points.square().sum(1)
    nearest = torch.full_like(squares, torch.inf)
    chosen = torch.empty(k, dtype=torch.int64)
    for position in range(k):
        chosen[position] = newest
        distance = torch.addmv(squares, points, points[newest], alpha=-2).add_(squares[newest])
        torch.minimum(nearest, distance, out=nearest)
        nearest[newest] = -torch.inf
        newest = int(nearest.argmax())
    return chosen
