"""optics_select on the GPU: the same choice as the reference's on the same distances, and times."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from measure import Case, milliseconds
from sklearn.cluster import OPTICS
from torch import Tensor
from torch.nn import functional

from pybench.ops import optics_select
from pybench.ops.dispatch import capsule, current_stream

MODULE = sys.modules["pybench.ops.optics_select"]
LAYERS = [(256, 4096), (512, 1024), (1024, 256)]  # channels and positions, for an image of 256 x 256
KEPT = 60
# Share of the positions that choose otherwise than the CPU does: where the rounding of distances decides.
TOLERANCE = 0.05
SCIKIT_LEARN_POSITIONS = 4


def cases(seed: int) -> Iterator[Case]:
    generator = torch.Generator("cuda").manual_seed(seed)
    yield _same_distances(generator, random.Random(seed))
    for count in (209, 391):
        for channels, positions in LAYERS:
            yield _timed(_features(generator, count, positions, channels))


def _features(generator: torch.Generator, count: int, positions: int, channels: int) -> Tensor:
    """Groups of different density, and for every eighth example a duplicate of another one."""
    groups = torch.randint(0, 4, (count,), device="cuda", generator=generator)
    features = torch.randn(count, positions, channels, device="cuda", generator=generator)
    features *= torch.tensor([0.05, 0.2, 0.5, 2.0], device="cuda")[groups].view(-1, 1, 1)
    features += torch.randn(4, positions, channels, device="cuda", generator=generator)[groups]
    features[::8] = features[torch.randint(0, count, (len(features[::8]),), device="cuda", generator=generator)]
    return features


def _same_distances(generator: torch.Generator, chooser: random.Random) -> Case:
    """The number of positions whose choice is not the reference's on the very distances of the GPU."""
    differing = 0
    for _ in range(50):
        count, channels = chooser.randint(2, 150), chooser.choice([2, 5, 40])
        k, min_samples = chooser.randint(1, count), chooser.randint(2, count)
        unit = functional.normalize(_features(generator, count, 3, channels), dim=2).transpose(0, 1).contiguous()
        distances, chosen = _choose(unit, k, min_samples)
        indices = torch.arange(count).unsqueeze(1)
        for matrix, ours in zip(distances.cpu().double(), chosen.cpu().long(), strict=True):
            expected = MODULE._select_pixel(indices, matrix, k, min_samples, "medoid")
            differing += not torch.equal(expected[:, 0], ours)
    return Case("optics_select", "150 matrices, against scikit-learn on the same distances", differing, 0)


def _choose(unit: Tensor, k: int, min_samples: int) -> tuple[Tensor, Tensor]:
    from pybench import _cuda

    positions, count, _ = unit.shape
    distances = unit.new_empty(positions, count, count)
    ranks, chosen = (unit.new_empty(positions, size, dtype=torch.int32) for size in (count, k))
    with current_stream(unit) as stream:
        _cuda.optics_distances(capsule(unit), capsule(distances), stream)
        _cuda.optics_regions(capsule(distances), min_samples, k, capsule(ranks), stream)
        _cuda.optics_choose(capsule(distances), capsule(ranks), None, capsule(chosen), stream)
    return distances, chosen


def _timed(features: Tensor) -> Case:
    count, positions, channels = features.shape
    on_cpu = features.cpu()
    began = time.perf_counter()
    expected = optics_select(on_cpu, KEPT)
    cpu_ms = 1000 * (time.perf_counter() - began)
    differing = (optics_select(features, KEPT, backend="cuda").cpu() != expected).any(dim=2).any(dim=0)
    return Case(
        "optics_select",
        f"N={count}, {positions} positions, {channels} channels",
        float(differing.float().mean()),
        TOLERANCE,
        milliseconds(lambda: optics_select(features, KEPT, backend="cuda")),
        {"ours on the CPU": cpu_ms, "scikit-learn, precomputed": _scikit_learn_ms(on_cpu)},
        f"scikit-learn on {SCIKIT_LEARN_POSITIONS} positions, scaled; error: share that differs from the CPU",
    )


def _scikit_learn_ms(features: Tensor) -> float:
    count, positions, _ = features.shape
    unit = functional.normalize(features[:, :SCIKIT_LEARN_POSITIONS].double(), dim=2)
    began = time.perf_counter()
    for examples in unit.unbind(dim=1):
        distances = np.clip(1 - (examples @ examples.T).numpy(), 0, 2)
        np.fill_diagonal(distances, 0)
        OPTICS(min_samples=max(2, count // KEPT), metric="precomputed").fit(distances)
    return 1000 * (time.perf_counter() - began) * positions / SCIKIT_LEARN_POSITIONS
