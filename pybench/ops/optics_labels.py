"""Regions of examples by density: OPTICS with xi extraction (Ankerst et al. 1999), as scikit-learn computes them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pybench.ops.dispatch import Implementation, Op, native
from pybench.types import InputError

# Decimals that scikit-learn's OPTICS rounds distances to: the precision of float64.
ROUNDING = 15


def optics_labels(distances: NDArray[np.float64], min_samples: int, backend: str = "auto") -> NDArray[np.int64]:
    """Region of each example, as labelled by scikit-learn's ``OPTICS`` with xi extraction and default values.

    Args:
        distances: finite, not negative, symmetric [N, N] with a zero diagonal, N >= 2.
        min_samples: neighbourhood size of the density, the example itself included, in [2, N].
        backend: ``auto``, or one of ``avx512``, ``avx2``, ``portable``, ``reference`` (numpy and scikit-learn) to force
            it. All give the same labels.

    Returns:
        int64 [N], regions from 0 on; -1 is noise.

    Raises:
        InputError: the matrix is not square or not finite, ``min_samples`` is out of range, or the backend cannot run.
    """
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise InputError(f"distances must be square, but have the shape {list(distances.shape)}")
    if not np.isfinite(distances).all():
        raise InputError("distances must be finite, but hold a NaN or an infinity")
    if not 2 <= min_samples <= len(distances):
        raise InputError(f"min_samples must lie in [2, {len(distances)}], but is {min_samples}")
    rounded = torch.from_numpy(np.round(distances.astype(np.float64), ROUNDING))
    labels: NDArray[np.int64] = _op(backend, rounded, min_samples)
    return labels


def reference_labels(rounded: Tensor, min_samples: int) -> NDArray[np.int64]:
    """NumPy and scikit-learn: labels [N] from distances [N, N] in float64 that are rounded to ``ROUNDING`` decimals."""
    from sklearn.cluster import cluster_optics_xi

    reachability, predecessor, ordering = _reachability_graph(rounded.numpy(), min_samples)
    with np.errstate(divide="ignore"):
        labels, _ = cluster_optics_xi(
            reachability=reachability, predecessor=predecessor, ordering=ordering, min_samples=min_samples
        )
    return np.asarray(labels, dtype=np.int64)


def _native(level: str, rounded: Tensor, min_samples: int) -> NDArray[np.int64]:
    import pybench._cpu as _cpu

    labels = torch.empty(len(rounded), dtype=torch.int64)
    _cpu.optics_labels(level, rounded.contiguous().__dlpack__(), min_samples, labels.__dlpack__())
    return labels.numpy()


def _reachability_graph(
    distances: NDArray[np.float64], min_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Reachability, predecessor and ordering of OPTICS (Ankerst et al. 1999) without a limit on the distance.

    ``distances`` are rounded already. Core distances are rounded a second time and ties are broken (the smallest index
    wins) as in scikit-learn, which takes 50 times as long because it searches the neighbours for each example again.
    """
    count = len(distances)
    core = np.partition(distances, min_samples - 1, axis=1)[:, min_samples - 1].round(ROUNDING)
    reachability = np.full(count, np.inf)
    predecessor = np.full(count, -1, dtype=np.int64)
    ordering = np.empty(count, dtype=np.int64)
    waiting = np.ones(count, dtype=np.bool_)
    for place in range(count):
        point = np.where(waiting, reachability, np.inf).argmin() if place else np.intp(0)
        ordering[place] = point
        waiting[point] = False
        through_point = np.maximum(distances[point], core[point])
        nearer = waiting & (through_point < reachability)
        reachability[nearer] = through_point[nearer]
        predecessor[nearer] = point
    return reachability, predecessor, ordering


_op = Op("optics_labels", [*native(_native, torch.float64), Implementation("reference", reference_labels)])
