"""The kernels for GPUs, compiled to run on the CPU: indices and arithmetic, not speed nor the memory model."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pybench.ops import TemplateBank, mutual_match, pack_templates
from pybench.ops.dispatch import capsule


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no CUDA compiler")
def test_the_extension_is_built_where_a_cuda_compiler_is() -> None:
    from pybench import _cuda

    rows, features = torch.zeros(1, 3, 128, dtype=torch.float16), torch.zeros(1, 4, 3)
    with pytest.raises(ValueError, match="features must be on a CUDA device, but is on DLPack device type 1"):
        _cuda.unit_rows(capsule(features), 1e-12, True, capsule(rows), 0)


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


@settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    count=st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 60, 270])),
    channels=st.one_of(st.integers(1, 40), st.sampled_from([64, 65, 130])),
    size=st.tuples(st.integers(1, 7), st.integers(1, 6)),
    forward_window=st.sampled_from([1, 3, 5, 9, 13]),
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


def test_mutual_match_with_the_largest_window(on_host: Callable[..., Any]) -> None:
    query, templates = torch.randn(2, 2, 3, 1, 3, generator=torch.Generator().manual_seed(0))
    bank = pack_templates(templates)
    actual = on_host("mutual_match", query, bank, 61, 1)
    for ours, theirs in zip(actual, mutual_match(query, bank, 61, 1, "reference"), strict=True):
        torch.testing.assert_close((1 - ours).clamp(0, 2), theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_mutual_match_keeps_what_is_not_a_number(on_host: Callable[..., Any], value: float, reduced: bool) -> None:
    query = torch.randn(2, 6, 5, 7, generator=torch.Generator().manual_seed(1))
    templates = torch.randn(40, 6, 5, 7, generator=torch.Generator().manual_seed(2))
    query[1, 2, 4, 0] = value
    templates[38, 3, 2, 3] = value
    bank = as_on_gpu(pack_templates(templates)) if reduced else pack_templates(templates)
    forward, backward = on_host("mutual_match", query, bank, 3, 5)
    holes = torch.zeros(2, 2, 5, 7, dtype=torch.bool)
    holes[0, 1, 4, 0] = holes[0, :, 1:4, 2:5] = True
    holes[1, 1, 2:, :3] = holes[1, :, 2, 3] = True
    assert torch.equal(torch.stack([forward, backward]).isnan(), holes)


def test_mutual_match_of_long_vectors_is_as_exact_as_float32(on_host: Callable[..., Any]) -> None:
    """The emulation rounds sums toward zero, which would cost 1e-5 if they were left to the tensor cores alone."""
    templates = torch.randn(2, 2048, 1, 2, generator=torch.Generator().manual_seed(3))
    forward, backward = on_host("mutual_match", 3 * templates, pack_templates(templates), 1, 1)
    assert (torch.stack([forward, backward]) - 1).abs().max() < 2e-6


def test_mutual_match_checks_what_it_is_given(module: Any) -> None:
    rows, panels = torch.zeros(1, 6, 128, dtype=torch.float16), torch.zeros(6, 1, 4, 16)
    table, forward, backward = torch.zeros(1, 9, 6), torch.zeros(1, 6), torch.zeros(1, 6)

    def call(rows: Tensor = rows, panels: Tensor = panels, height: int = 2, window: int = 3) -> None:
        tensors = [capsule(tensor) for tensor in (table, forward, backward)]
        module.mutual_match(capsule(rows), capsule(panels), 4, height, 3, window, 1, True, *tensors, 0)

    call()
    with pytest.raises(ValueError, match="rows must be float16, but is float32"):
        call(rows=rows.float())
    with pytest.raises(ValueError, match=r"rows must have the shape \[any, 6, 128\]"):
        call(rows=rows[..., :96])
    with pytest.raises(ValueError, match=r"panels must have the shape \[6, any, 4, 16\]"):
        call(panels=panels[:, :, :3])
    with pytest.raises(ValueError, match="panels must be contiguous"):
        call(panels=panels.expand(-1, 2, -1, -1))
    with pytest.raises(ValueError, match="panels must hold a template"):
        call(panels=panels.new_empty(6, 0, 4, 16))
    with pytest.raises(ValueError, match=r"rows must have the shape \[any, 9, 128\]"):
        call(height=3)
    with pytest.raises(ValueError, match=r"table must have the shape \[1, 25, 6\]"):
        call(window=5)
    with pytest.raises(ValueError, match="windows must be odd"):
        call(window=4)
