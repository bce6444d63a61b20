"""The kernels for GPUs, compiled to run on the CPU: indices and arithmetic, not speed nor the memory model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from pybench.ops import TemplateBank, mutual_match, pack_templates
from pybench.ops.dispatch import capsule


@pytest.fixture
def module(on_host: Callable[..., Any]) -> Any:
    from pybench import _cuda

    return _cuda


@pytest.mark.parametrize(("shape", "split"), [((2, 40, 19), True), ((1, 33, 8), False), ((0, 4, 5), True)])
def test_unit_rows(module: Any, shape: tuple[int, int, int], split: bool) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    features[:, :, 3] = 0
    channels = 16 if split else 32
    steps = -(-shape[1] // channels) + 1
    rows = torch.full((shape[0], shape[2], steps * 32), torch.nan, dtype=torch.float16)
    module.unit_rows(capsule(features), 1e-12, split, capsule(rows), 0)
    parts = rows.unflatten(2, (steps, -1, channels))
    got = parts.double().sum(dim=3)  # of big and small parts, or nothing to add
    if split:  # pairs of channels that are four apart
        got = got.unflatten(3, (2, 4, 2)).transpose(4, 5).flatten(3)
    got = got.flatten(2)
    expected = functional.pad(functional.normalize(features, dim=1).mT, (0, steps * channels - shape[1]))
    tolerance = 2.0**-20 if split else 2.0**-11
    torch.testing.assert_close(got, expected.double(), atol=2.0**-24, rtol=tolerance)


def as_on_gpu(bank: TemplateBank) -> TemplateBank:
    """What ``pack_templates`` makes of the bank's templates on a GPU in reduced precision."""
    halves = bank.panels.half()
    odd = bank.channels % 2
    paired = functional.pad(halves, (0, 0, 0, odd)).unflatten(2, (-1, 2)).transpose(3, 4).flatten(3)
    return replace(bank, panels=paired)


@settings(derandomize=True, deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    count=st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 60, 300])),
    channels=st.one_of(st.integers(1, 40), st.sampled_from([64, 65, 130])),
    size=st.tuples(st.integers(1, 7), st.integers(1, 6)),
    forward_window=st.sampled_from([1, 3, 5, 9, 13, 61]),
    backward_window=st.sampled_from([1, 3, 7, 9]),
    reduced=st.booleans(),
)
def test_mutual_match(
    on_host: Callable[..., Any],
    seed: int,
    batch: int,
    count: int,
    channels: int,
    size: tuple[int, int],
    forward_window: int,
    backward_window: int,
    reduced: bool,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(batch, channels, *size, generator=generator)
    bank = pack_templates(torch.randn(count, channels, *size, generator=generator))
    if reduced:
        bank = as_on_gpu(bank)
    actual = on_host("mutual_match", query, bank, forward_window, backward_window)
    expected = mutual_match(query, bank, forward_window, backward_window, "reference")
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close((1 - ours).clamp(0, 2), theirs, atol=1e-6, rtol=0)
