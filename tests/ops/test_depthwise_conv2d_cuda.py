"""depthwise_conv2d for GPUs, compiled to run on the CPU (docs/design/gpu.md)."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pybench.ops.dispatch import capsule

MODULE = sys.modules["pybench.ops.depthwise_conv2d"]
OnHost = Callable[..., Any]


def random_tensors(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def assert_near(actual: Tensor, expected: Tensor) -> None:
    """Equal but for rounding, which is measured by the largest value."""
    assert actual.dtype == torch.float32
    scale = 1 + (expected.abs().max().item() if expected.numel() else 0)
    torch.testing.assert_close(actual.double(), expected, atol=2e-6 * scale, rtol=0)


def check(
    on_host: OnHost, seed: int, batch: int, channels: int, size: tuple[int, int], kernel: tuple[int, int]
) -> None:
    """Forward, with the kernel turned, and the gradient for the weight, against the reference in float64."""
    images = (batch, channels, *size)
    x, weight, bias, gradient = random_tensors(seed, images, (channels, 1, *kernel), (channels,), images)
    for transposed, values in ((False, bias), (True, None)):
        expected = MODULE._reference(
            x.double(), weight.double(), None if values is None else values.double(), transposed
        )
        assert_near(on_host("depthwise_conv2d", x, weight, values, transposed), expected)
    result = on_host("depthwise_conv2d_weight_gradient", gradient, x, *kernel)
    assert_near(result, MODULE._reference_gradient(gradient.double(), x.double(), *kernel))


@settings(derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    channels=st.one_of(st.integers(1, 5), st.just(11)),
    size=st.tuples(st.integers(1, 19), st.integers(1, 21)),
    kernel=st.tuples(st.integers(0, 7), st.integers(0, 9)).map(lambda half: (2 * half[0] + 1, 2 * half[1] + 1)),
)
def test_equals_reference(
    on_host: OnHost, seed: int, batch: int, channels: int, size: tuple[int, int], kernel: tuple[int, int]
) -> None:
    check(on_host, seed, batch, channels, size, kernel)


@pytest.mark.parametrize(
    ("batch", "channels", "size", "kernel"),
    [
        (1, 1, (1, 1), (1, 1)),
        (2, 3, (1, 1), (31, 31)),
        (1, 2, (64, 64), (31, 31)),  # two tiles
        (3, 9, (8, 8), (13, 13)),
        (1, 1, (3, 140), (5, 131)),  # chunks beside each other, forward and for the gradient
        (1, 1, (70, 2), (67, 3)),  # and below each other
        (1, 1, (5, 150), (1, 3)),  # three tiles beside each other
    ],
)
def test_tiles_and_chunks(
    on_host: OnHost, batch: int, channels: int, size: tuple[int, int], kernel: tuple[int, int]
) -> None:
    check(on_host, 0, batch, channels, size, kernel)


def test_keeps_the_layout(on_host: OnHost) -> None:
    x, weight = random_tensors(1, (2, 3, 5, 6), (3, 1, 3, 5))
    expected = on_host("depthwise_conv2d", x, weight, None, False)
    assert expected.is_contiguous()
    last = on_host("depthwise_conv2d", x.contiguous(memory_format=torch.channels_last), weight, None, False)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_reach_what_they_touch(on_host: OnHost, value: float) -> None:
    x, weight, gradient = random_tensors(2, (2, 3, 7, 9), (3, 1, 5, 11), (2, 3, 7, 9))
    expected = on_host("depthwise_conv2d", x, weight, None, False)
    expected_gradient = on_host("depthwise_conv2d_weight_gradient", gradient, x, 5, 11)
    x[1, 2, 4, 0] = value
    touched = torch.zeros(x.shape, dtype=torch.bool)
    touched[1, 2, 2:7, :6] = True
    actual = on_host("depthwise_conv2d", x, weight, None, False)
    assert not actual[touched].isfinite().any()
    assert_near(actual[~touched], expected[~touched].double())

    actual = on_host("depthwise_conv2d_weight_gradient", gradient, x, 5, 11)
    touched = torch.zeros(weight.shape, dtype=torch.bool)
    touched[2, 0, :, :6] = True
    assert not actual[touched].isfinite().any()
    assert_near(actual[~touched], expected_gradient[~touched].double())


def test_a_kernels_nan_stays_where_its_tap_lies_inside(on_host: OnHost) -> None:
    x, weight = random_tensors(3, (1, 3, 6, 7), (3, 1, 5, 9))
    weight[1, 0, 0, 8] = math.nan
    touched = torch.zeros(x.shape, dtype=torch.bool)
    touched[0, 1, 2:, :3] = True
    assert torch.equal(on_host("depthwise_conv2d", x, weight, None, False).isnan(), touched)


def test_the_extension_checks_its_views_itself(on_host: OnHost) -> None:
    from pybench import _cuda

    x, weight, bias = random_tensors(4, (1, 3, 4, 5), (3, 1, 3, 3), (3,))
    output, partial = torch.empty_like(x), weight[None]
    for arguments, message in (
        ((x[0], weight, bias, output), "x must have 4 dimensions"),
        ((x.double(), weight, bias, output), "x must be float32"),
        ((x[..., :0].contiguous(), weight, bias, output), "x must have pixels"),
        ((x.mT.contiguous().mT, weight, bias, output), "x must be contiguous"),
        ((x, weight[:2], bias, output), r"weight must have the shape \[3, 1, any, any\]"),
        ((x, weight[..., ::2], bias, output), "weight must have odd sides"),
        ((x, weight.mT, bias, output), "weight must be contiguous"),
        ((x, weight, bias[:2], output), r"bias must have the shape \[3\]"),
        ((x, weight, bias, output[..., :4]), r"output must have the shape \[1, 3, 4, 5\]"),
    ):
        with pytest.raises(ValueError, match=message):
            _cuda.depthwise_conv2d(*map(capsule, arguments[:3]), False, capsule(arguments[3]), 0)
    for arguments, message in (
        ((x[..., :4], x, partial), r"output_gradient must have the shape \[1, 3, 4, 5\]"),
        ((x, x, partial[:, :2]), r"partial must have the shape \[any, 3, 1, any, any\]"),
        ((x, x, partial[..., :2]), "weight must have odd sides"),
    ):
        with pytest.raises(ValueError, match=message):
            _cuda.depthwise_conv2d_weight_gradient(*map(capsule, arguments), 0)
