"""Pixel-level template selection by density clustering (HETMM, Sec. 3.3 and Alg. 1)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pybench.ops.dispatch import Implementation, Op, capsule, cuda, current_stream, native
from pybench.ops.optics_labels import ROUNDING, reference_labels
from pybench.types import InputError

Center = Literal["medoid", "mean"]

CHUNK_BYTES = 1 << 29  # memory for the pixels that a GPU works on at a time
MOST_EXAMPLES = 2048  # on a GPU (csrc/cuda/optics/optics.h)
EPSILON = 1e-12  # shorter vectors are divided by this instead of by their length


def optics_select(
    features: Tensor,
    k: int,
    min_samples: int | None = None,
    center: Center = "medoid",
    backend: str = "auto",
) -> Tensor:
    """Reduce N examples to K = min(k, N), independently at every pixel (HETMM, Sec. 3.3).

    At each pixel, OPTICS with the cosine distance finds dense regions. At most k of their centres are chosen, in the
    order in which the regions first appear among the examples; if there is no region, the centre of all examples. Then
    the example with the largest *summed* cosine distance to all chosen ones is added, the first of equal ones, until
    there are k. If N <= k, all examples are returned. A zero vector has the distance 1 to every other.

    Args:
        features: [N, P, C], float32 or float64: examples, pixels, channels. All values must be finite.
        k: number of examples to keep, at least 1.
        min_samples: neighbourhood size of OPTICS, in [2, N]; None takes max(2, N // k).
        center: ``medoid``, the region's member with the smallest summed distance to its members, or ``mean``, the
            mean of its feature vectors.
        backend: ``auto``, or one of ``cuda``, ``avx512``, ``avx2``, ``portable``, ``reference`` (numpy and
            scikit-learn, pixel by pixel) to force it. Native backends take float32 on their device and compute
            distances in float32. Those of the CPU use ``torch.get_num_threads()`` threads; the result does not depend
            on their number. From equal distances they choose the same examples as the reference. Where the rounding
            of distances changes a region, they may choose others. ``cuda`` takes at most 2048 examples, and waits for
            the GPU, because it must know whether all values are finite.

    Returns:
        [K, P, C], the chosen feature vectors as given (not normalised); with ``mean``, also means of such vectors.

    Raises:
        InputError: an argument is out of range, a value is not finite, or the backend cannot run.
    """
    if features.dim() != 3 or features.dtype not in (torch.float32, torch.float64) or 0 in features.shape:
        raise InputError(
            "features must be float32 or float64 [N, P, C] and not empty, but are "
            f"{features.dtype} of shape {list(features.shape)}"
        )
    if k < 1:
        raise InputError(f"k must be at least 1, but is {k}")
    if center not in ("medoid", "mean"):
        raise InputError(f"center must be medoid or mean, but is {center!r}")
    count = len(features)
    if count <= k:
        return features.detach().clone()
    neighbours = max(2, count // k) if min_samples is None else min_samples
    if not 2 <= neighbours <= count:
        raise InputError(f"min_samples must lie in [2, {count}], but is {neighbours}")
    selected: Tensor = _op(backend, features.detach(), k, neighbours, center)
    return selected


def _native(level: str, features: Tensor, k: int, min_samples: int, center: Center) -> Tensor:
    import pybench._cpu as _cpu

    if 1 not in (features.stride(1), features.stride(2)):
        features = features.contiguous()
    selected = features.new_empty(k, *features.shape[1:])
    finite = _cpu.optics_select(
        level, features.__dlpack__(), min_samples, center == "mean", torch.get_num_threads(), selected.__dlpack__()
    )
    _require_finite(finite)
    return selected


def _require_finite(finite: bool) -> None:
    if not finite:
        raise InputError("features must be finite, but hold a NaN or an infinity")


def _reference(features: Tensor, k: int, min_samples: int, center: Center) -> Tensor:
    _require_finite(bool(torch.isfinite(features).all()))
    selected = []
    for examples in features.cpu().unbind(dim=1):
        distances = _cosine_distances(functional.normalize(examples.double(), dim=1))
        selected.append(_select_pixel(examples, distances, k, min_samples, center))
    return torch.stack(selected, dim=1).to(features.device)


def _select_pixel(examples: Tensor, distances: Tensor, k: int, min_samples: int, center: Center) -> Tensor:
    """Selection at one pixel: from examples [N, C] and their distances [N, N] in float64 to [k, C]."""
    labels = reference_labels(distances.round(decimals=ROUNDING), min_samples)
    regions = [np.flatnonzero(labels == label) for label in dict.fromkeys(labels[labels >= 0].tolist())][:k]
    regions = regions or [np.arange(len(examples))]
    if center == "medoid":
        chosen = [_medoid(distances, torch.from_numpy(region)) for region in regions]
        return examples[_add_farthest(distances, distances[chosen].sum(dim=0), chosen, k)]
    means = torch.stack([examples[region].mean(dim=0) for region in regions])
    unit, unit_means = (functional.normalize(vectors.double(), dim=1) for vectors in (examples, means))
    to_means = (1 - unit_means @ unit.T).clamp(0, 2)
    farthest = _add_farthest(distances, to_means.sum(dim=0), [], k - len(means))
    return torch.cat([means, examples[farthest]])


def _cosine_distances(unit: Tensor) -> Tensor:
    """Distances [N, N] of unit vectors [N, C]; exactly symmetric, so that the first of two equal examples wins."""
    cosines = unit @ unit.T
    distances: Tensor = (1 - (cosines + cosines.T) / 2).clamp(0, 2).fill_diagonal_(0)
    return distances


def _medoid(distances: Tensor, region: Tensor) -> int:
    sums = distances[region][:, region].sum(dim=1)
    return int(region[sums.argmin()])


def _add_farthest(distances: Tensor, summed: Tensor, chosen: list[int], k: int) -> list[int]:
    """Add the example with the largest summed distance to all chosen ones until there are k (HETMM, Eq. 9).

    ``summed`` is [N], the distances to what is chosen at first.
    """
    summed = summed.clone()
    chosen = list(chosen)
    summed[chosen] = -torch.inf
    while len(chosen) < k:
        farthest = int(summed.argmax())
        chosen.append(farthest)
        summed += distances[farthest]
        summed[farthest] = -torch.inf
    return chosen


def _cuda(features: Tensor, k: int, min_samples: int, center: Center) -> Tensor:
    count, _, channels = features.shape
    chunk = max(1, CHUNK_BYTES // (features.element_size() * count * (count + 2 * channels)))
    finite, selected = [], []
    with current_stream(features) as stream:
        for examples in features.split(chunk, dim=1):
            rows = examples.transpose(0, 1).contiguous()
            lengths = torch.linalg.vector_norm(rows, dim=2, keepdim=True, dtype=torch.float64)
            unit = rows * lengths.clamp_min(EPSILON).reciprocal().float()
            finite.append(lengths.isfinite().all())
            selected.append(_select_pixels(rows, unit, k, min_samples, center, stream).transpose(0, 1))
    _require_finite(bool(torch.stack(finite).all()))
    return torch.cat(selected, dim=1)


def _select_pixels(rows: Tensor, unit: Tensor, k: int, min_samples: int, center: Center, stream: int) -> Tensor:
    """Selection at some pixels on a GPU: from rows [P, N, C], and the same at unit length, to [P, k, C]."""
    import pybench._cuda as _cuda

    positions, count, channels = rows.shape
    distances = rows.new_empty(positions, count, count)
    ranks = rows.new_empty(positions, count, dtype=torch.int32)
    chosen = rows.new_zeros(positions, k, dtype=torch.int32)
    _cuda.optics_distances(capsule(unit), capsule(distances), stream)
    _cuda.optics_regions(capsule(distances), min_samples, k, capsule(ranks), stream)
    sums = None
    if center == "mean":
        means, exists = _region_means(rows, ranks, k)
        unit_means = functional.normalize(means.double(), dim=2, eps=EPSILON)
        to_means = (1 - unit_means @ unit.mT.double()).clamp(0, 2)
        sums = (to_means * exists).sum(dim=1)
    _cuda.optics_choose(
        capsule(distances), capsule(ranks), None if sums is None else capsule(sums), capsule(chosen), stream
    )
    selected = rows.gather(1, chosen.long().unsqueeze(2).expand(-1, -1, channels))
    return selected if sums is None else torch.where(exists, means, selected)


def _region_means(rows: Tensor, ranks: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The mean of the rows [P, N, C] of each region, [P, k, C], and which regions exist, bool [P, k, 1]."""
    members = (ranks.unsqueeze(1) == torch.arange(k, device=rows.device).unsqueeze(1)).double()
    sizes = members.sum(dim=2, keepdim=True)
    return (members @ rows.double() / sizes.clamp_min(1)).float(), sizes > 0


def _cuda_unsuited(features: Tensor, *_: object) -> str:
    return "" if len(features) <= MOST_EXAMPLES else f"there must be at most {MOST_EXAMPLES} examples"


_op = Op("optics_select", [cuda(_cuda, _cuda_unsuited), *native(_native), Implementation("reference", _reference)])
