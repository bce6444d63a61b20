"""optics_select for GPUs, run on the CPU (docs/design/gpu.md), against the reference on the same distances."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pybench.ops.dispatch import capsule
from pybench.ops.optics_labels import reference_labels
from pybench.ops.optics_select import Center
from pybench.types import InputError

MODULE = sys.modules["pybench.ops.optics_select"]
OnHost = Callable[..., Any]


def quick(examples: int) -> settings:
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@pytest.fixture
def module(on_host: OnHost) -> Any:
    from pybench import _cuda

    return _cuda


def distances_of(module: Any, unit: Tensor) -> Tensor:
    distances = unit.new_full((len(unit), unit.shape[1], unit.shape[1]), torch.nan)
    module.optics_distances(capsule(unit), capsule(distances), 0)
    return distances


def ranks_of(module: Any, distances: Tensor, min_samples: int, most: int) -> Tensor:
    ranks = torch.full(distances.shape[:2], -9, dtype=torch.int32)
    module.optics_regions(capsule(distances), min_samples, most, capsule(ranks), 0)
    return ranks


def reference_ranks(distances: Tensor, min_samples: int, most: int) -> list[int]:
    labels = reference_labels(distances.double().round(decimals=15), min_samples).tolist()
    order = [label for label in dict.fromkeys(labels) if label >= 0][:most]
    return [order.index(label) if label in order else -1 for label in labels]


def random_features(seed: int, count: int, positions: int, channels: int) -> Tensor:
    """Groups of different density; each example has a duplicate with some chance, and one is zero."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(0, 3, (count,), generator=generator)
    centers = torch.randn(3, positions, channels, generator=generator)
    noise = torch.randn(count, positions, channels, generator=generator)
    features = centers[groups] + noise * torch.tensor([0.05, 0.3, 2.0])[groups].view(-1, 1, 1)
    features *= torch.rand(count, 1, 1, generator=generator) + 0.5
    features[0, 0] = 0
    copies = torch.randint(0, count, (count // 4, 2), generator=generator)
    features[copies[:, 0]] = features[copies[:, 1]]
    return features


@pytest.mark.parametrize(("count", "channels"), [(1, 3), (2, 1), (40, 33), (65, 16), (130, 5)])
def test_distances(module: Any, count: int, channels: int) -> None:
    features = random_features(count, count, 2, channels).transpose(0, 1)
    unit = torch.nn.functional.normalize(features, dim=2).contiguous()
    distances = distances_of(module, unit)
    for examples, matrix in zip(unit, distances, strict=True):
        expected = MODULE._cosine_distances(torch.nn.functional.normalize(examples.double(), dim=1))
        torch.testing.assert_close(matrix.double(), expected, atol=1e-6, rtol=0)
        assert torch.equal(matrix, matrix.T)
        assert not matrix.diagonal().any()
        assert torch.equal((matrix * 2**24).round(), matrix * 2**24)
        same = (examples.unsqueeze(1) == examples).all(dim=2) & examples.any(dim=1)
        assert not matrix[same].any()
        for i, j in same.nonzero().tolist():
            assert torch.equal(matrix[i], matrix[j])


def lattice(seed: int, count: int, levels: int) -> Tensor:
    """Symmetric distances of few different values: ties and zeros between unequal examples."""
    generator = torch.Generator().manual_seed(seed)
    upper = torch.randint(0, levels, (count, count), generator=generator).float().triu(1)
    return (upper + upper.T) / (4 * levels)


def chain(seed: int, count: int) -> Tensor:
    """Steps along a line that shrink or grow by xi's factor 0.95."""
    generator = torch.Generator().manual_seed(seed)
    steps = 0.95 ** torch.randint(-3, 4, (count,), generator=generator).double().cumsum(0)
    places = (steps.cumsum(0) / steps.sum() * 2**24).round()
    return ((places.unsqueeze(1) - places).abs() / 2**24).float()


@quick(80)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(2, 40),
    levels=st.sampled_from([2, 4, 16, 1 << 16, None]),
    share=st.floats(0, 1),
)
def test_regions_of_ties_and_chains(module: Any, seed: int, count: int, levels: int | None, share: float) -> None:
    matrix = lattice(seed, count, levels) if levels else chain(seed, count)
    min_samples = 2 + int(share * (count - 2))
    most = 1 + seed % count
    expected = reference_ranks(matrix, min_samples, most)
    assert ranks_of(module, matrix[None], min_samples, most)[0].tolist() == expected


@quick(60)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(2, 40),
    positions=st.integers(1, 2),
    channels=st.integers(2, 9),
    min_samples=st.integers(2, 6),
    k=st.integers(1, 12),
)
def test_chooses_as_the_reference(
    module: Any, seed: int, count: int, positions: int, channels: int, min_samples: int, k: int
) -> None:
    features = random_features(seed, count, positions, channels).transpose(0, 1)
    distances = distances_of(module, torch.nn.functional.normalize(features, dim=2).contiguous())
    k, min_samples = min(k, count), min(min_samples, count)
    ranks = ranks_of(module, distances, min_samples, k)
    chosen = torch.full((positions, k), -9, dtype=torch.int32)
    module.optics_choose(capsule(distances), capsule(ranks), None, capsule(chosen), 0)
    indices = torch.arange(count).unsqueeze(1)
    for position, matrix in enumerate(distances):
        assert ranks[position].tolist() == reference_ranks(matrix, min_samples, k)
        expected = MODULE._select_pixel(indices, matrix.double(), k, min_samples, "medoid")
        assert chosen[position].tolist() == expected[:, 0].tolist()


@pytest.mark.parametrize("center", ["medoid", "mean"])
@quick(15)
@given(seed=st.integers(0, 2**31), count=st.integers(3, 24), positions=st.integers(1, 4), k=st.integers(1, 12))
def test_equals_the_reference(on_host: OnHost, center: Center, seed: int, count: int, positions: int, k: int) -> None:
    """Whole, on features without ties, in chunks of two positions."""
    k = min(k, count - 1)
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, positions, 6, generator=generator) + 3 * torch.randn(
        positions, 6, generator=generator
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "CHUNK_BYTES", 2 * 4 * count * (count + 12))
        actual = on_host("optics_select", features, k, max(2, count // k), center)
    expected = MODULE._reference(features, k, max(2, count // k), center)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("center", ["medoid", "mean"])
def test_refuses_what_is_not_finite(on_host: OnHost, center: Center, value: float) -> None:
    features = random_features(0, 9, 3, 4)
    features[4, 2, 1] = value
    with pytest.raises(InputError, match="features must be finite"):
        on_host("optics_select", features, 3, 3, center)


def test_takes_large_and_tiny_vectors(on_host: OnHost) -> None:
    features = random_features(1, 12, 2, 5)
    expected = on_host("optics_select", features, 4, 3, "medoid")
    actual = on_host("optics_select", features * 2.0**100, 4, 3, "medoid")
    assert torch.equal(actual, expected * 2.0**100)


def test_the_extension_checks_its_views_itself(module: Any) -> None:
    unit, distances = torch.zeros(2, 5, 3), torch.zeros(2, 5, 5)
    ranks, chosen = torch.zeros(2, 5, dtype=torch.int32), torch.zeros(2, 3, dtype=torch.int32)
    with pytest.raises(ValueError, match=r"distances must have the shape \[2, 5, 5\]"):
        module.optics_distances(capsule(unit), capsule(distances[:, :4]), 0)
    with pytest.raises(ValueError, match="from 1 to 2048 examples"):
        module.optics_distances(capsule(torch.zeros(0, 2049, 1)), capsule(torch.zeros(0, 2049, 2049)), 0)
    for min_samples, most, message in ((1, 2, "min_samples"), (6, 2, "min_samples"), (2, 0, "most"), (2, 6, "most")):
        with pytest.raises(ValueError, match=message):
            module.optics_regions(capsule(distances), min_samples, most, capsule(ranks), 0)
    with pytest.raises(ValueError, match="ranks must be int32, but is int64"):
        module.optics_regions(capsule(distances), 2, 2, capsule(ranks.long()), 0)
    for arguments, message in (
        ((distances, ranks[:1], None, chosen), r"ranks must have the shape \[2, 5\]"),
        ((distances, ranks, torch.zeros(2, 5), chosen), "sums must be float64, but is float32"),
        ((distances, ranks, torch.zeros(2, 4).double(), chosen), r"sums must have the shape \[2, 5\]"),
        ((distances, ranks, None, torch.zeros(2, 6, dtype=torch.int32)), "chosen must hold from 1 to N examples"),
    ):
        with pytest.raises(ValueError, match=message):
            module.optics_choose(*(None if tensor is None else capsule(tensor) for tensor in arguments), 0)
