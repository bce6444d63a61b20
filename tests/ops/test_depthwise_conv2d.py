"""depthwise_conv2d: every backend and both gradients against loops and the reference, and what is documented."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pybench.ops import backends, depthwise_conv2d, record
from pybench.types import InputError

CPU_BACKENDS = {name: reason for name, reason in backends()["depthwise_conv2d"].items() if name != "cuda"}
RUNNABLE = [name for name, reason in CPU_BACKENDS.items() if not reason]
NATIVE = [name for name in RUNNABLE if name != "reference"]
quick = settings(derandomize=True, deadline=None, max_examples=30)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def random_triple(
    seed: int, batch: int, channels: int, size: tuple[int, int], kernel: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, *size, generator=generator)
    weight = torch.randn(channels, 1, *kernel, generator=generator)
    return x, weight, torch.randn(channels, generator=generator)


def by_loops(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The definition word for word, on Python floats: products outside the image do not exist."""
    batch, channels, height, width = x.shape
    rows, columns = weight.shape[2:]
    images, kernels = x.tolist(), weight[:, 0].tolist()
    output = torch.zeros(x.shape, dtype=torch.float64)
    for b, c, y, u in itertools.product(range(batch), range(channels), range(height), range(width)):
        total = float(bias[c])
        for i, j in itertools.product(range(rows), range(columns)):
            v, w = y + i - rows // 2, u + j - columns // 2
            if 0 <= v < height and 0 <= w < width:
                total += images[b][c][v][w] * kernels[c][i][j]
        output[b, c, y, u] = total
    return output


def gradients(arguments: tuple[Tensor, ...], upstream: Tensor, backend: str) -> tuple[Tensor, ...]:
    leaves = [argument.detach().requires_grad_() for argument in arguments]
    return torch.autograd.grad(depthwise_conv2d(*leaves, backend), leaves, upstream)


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 2e-6) -> None:
    """Equal but for rounding, which is measured by the largest value."""
    finite = expected[expected.isfinite()]
    scale = 1 + (finite.abs().max().item() if finite.numel() else 0)
    torch.testing.assert_close(actual.double(), expected.double(), atol=tolerance * scale, rtol=0, equal_nan=True)


def test_native_code_is_there() -> None:
    assert "portable" in NATIVE


@pytest.mark.parametrize("backend", RUNNABLE)
def test_by_hand(backend: str) -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]])
    weight = torch.tensor([[[[1.0, 10.0, 100.0]]], [[[0.0, 1.0, 0.0]]]])
    output = depthwise_conv2d(x, weight, torch.tensor([0.5, 0.0]), backend)
    assert output.tolist() == [[[[210.5, 321.5, 32.5]], [[4.0, 5.0, 6.0]]]]


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize(
    ("batch", "channels", "size", "kernel"),
    [
        (1, 1, (1, 1), (1, 1)),
        (1, 3, (1, 1), (5, 7)),
        (2, 4, (3, 9), (3, 5)),
        (1, 9, (2, 6), (9, 3)),
        (1, 2, (7, 2), (1, 9)),
        (1, 17, (5, 5), (13, 13)),
    ],
)
def test_equals_loops(backend: str, batch: int, channels: int, size: tuple[int, int], kernel: tuple[int, int]) -> None:
    x, weight, bias = random_triple(channels, batch, channels, size, kernel)
    assert_near(depthwise_conv2d(x, weight, bias, backend), by_loops(x, weight, bias))


@pytest.mark.parametrize("backend", NATIVE)
@quick
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    channels=st.one_of(st.integers(1, 20), st.sampled_from([32, 47])),
    size=st.tuples(st.integers(1, 14), st.integers(1, 20)),
    kernel=st.tuples(st.integers(0, 10), st.integers(0, 13)).map(lambda half: (2 * half[0] + 1, 2 * half[1] + 1)),
    with_bias=st.booleans(),
    layout=st.sampled_from(LAYOUTS),
)
def test_equals_reference(
    backend: str,
    seed: int,
    batch: int,
    channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    with_bias: bool,
    layout: torch.memory_format,
) -> None:
    x, weight, bias = random_triple(seed, batch, channels, size, kernel)
    arguments = (x.contiguous(memory_format=layout), weight, bias)[: 3 if with_bias else 2]
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    double = tuple(argument.double() for argument in arguments)

    actual = depthwise_conv2d(*arguments, backend=backend)
    assert actual.dtype == torch.float32
    assert batch == 0 or actual.is_contiguous(memory_format=layout)
    assert_near(actual, depthwise_conv2d(*double, backend="reference"))

    leaves = [argument.requires_grad_() for argument in arguments]
    theirs = [argument.requires_grad_() for argument in double]
    with record() as used:
        ours = torch.autograd.grad(depthwise_conv2d(*leaves, backend=backend), leaves, upstream)
    assert used == {"depthwise_conv2d": backend, "depthwise_conv2d_weight_gradient": backend}
    padding = (kernel[0] // 2, kernel[1] // 2)
    plain = functional.conv2d(*theirs, padding=padding, groups=channels)
    for gradient, expected in zip(ours, torch.autograd.grad(plain, theirs, upstream.double()), strict=True):
        assert gradient.shape == expected.shape
        assert_near(gradient, expected)


@pytest.mark.parametrize(("side", "kernel"), [(36, 31), (32, 29), (16, 27), (8, 13)])
def test_stages_of_the_paper(side: int, kernel: int) -> None:
    arguments = random_triple(side, 2, 16, (side, side), (kernel, kernel))
    upstream = torch.randn(arguments[0].shape, generator=torch.Generator().manual_seed(1))
    double = tuple(argument.double() for argument in arguments)
    output = depthwise_conv2d(*double, "reference")
    expected = gradients(double, upstream.double(), "reference")
    for backend in NATIVE:
        assert_near(depthwise_conv2d(*arguments, backend), output)
        for ours, theirs in zip(gradients(arguments, upstream, backend), expected, strict=True):
            assert_near(ours, theirs)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_layout_does_not_matter(backend: str) -> None:
    x, weight, bias = random_triple(1, 2, 12, (6, 5), (5, 3))
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    expected = depthwise_conv2d(x, weight, bias, backend)
    expected_gradients = gradients((x, weight, bias), upstream, backend)
    changes: list[Any] = [
        lambda t: t.to(memory_format=torch.channels_last),
        lambda t: t.transpose(2, 3).contiguous().transpose(2, 3),
        lambda t: torch.stack([t, t], dim=1)[:, 1],
        lambda t: torch.cat([t, t], dim=1)[:, : t.shape[1]],
        lambda t: torch.cat([t, t], dim=1).to(memory_format=torch.channels_last)[:, : t.shape[1]],
        lambda t: t.flip(3).flip(3),
    ]
    for change in changes:
        assert_near(depthwise_conv2d(change(x), change(weight), bias, backend), expected, 1e-6)
        got = gradients((change(x), change(weight), bias), change(upstream), backend)
        for ours, theirs in zip(got, expected_gradients, strict=True):
            assert_near(ours, theirs, 1e-6)
    constant = gradients((x, weight, bias), upstream[:1, :1, :1, :1].expand_as(x), backend)
    filled = gradients((x, weight, bias), upstream[:1, :1, :1, :1].expand_as(x).contiguous(), backend)
    for ours, theirs in zip(constant, filled, strict=True):
        assert_near(ours, theirs, 1e-6)


@pytest.mark.parametrize("backend", NATIVE)
def test_threads_do_not_change_a_bit(backend: str) -> None:
    arguments = random_triple(2, 3, 37, (9, 8), (7, 11))
    upstream = torch.randn(arguments[0].shape, generator=torch.Generator().manual_seed(3))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append((depthwise_conv2d(*arguments, backend), *gradients(arguments, upstream, backend)))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("kernel", [(3, 5), (11, 15)])
def test_nan_and_infinity_reach_what_they_touch(backend: str, value: float, kernel: tuple[int, int]) -> None:
    x, weight, bias = random_triple(4, 2, 10, (7, 9), kernel)
    expected = depthwise_conv2d(x, weight, bias, backend)
    x[1, 3, 4, 0] = value
    touched = torch.zeros(x.shape, dtype=torch.bool)
    rows, columns = kernel[0] // 2, kernel[1] // 2
    touched[1, 3, max(0, 4 - rows) : 4 + rows + 1, : columns + 1] = True
    actual = depthwise_conv2d(x, weight, bias, backend)
    assert not actual[touched].isfinite().any()
    assert_near(actual[~touched], expected[~touched])


@pytest.mark.parametrize("backend", NATIVE)
def test_a_kernels_nan_stays_where_its_tap_lies_inside(backend: str) -> None:
    x, weight, bias = random_triple(5, 1, 3, (6, 7), (5, 9))
    weight[1, 0, 0, 8] = math.nan
    actual = depthwise_conv2d(x, weight, bias, backend)
    touched = torch.zeros(x.shape, dtype=torch.bool)
    touched[0, 1, 2:, :3] = True
    assert torch.equal(actual.isnan(), touched)


def test_gradients_and_second_gradients_are_right() -> None:
    for size, kernel in (((4, 3), (3, 5)), ((2, 5), (5, 1))):
        arguments = [argument.double().requires_grad_() for argument in random_triple(6, 2, 3, size, kernel)]
        assert torch.autograd.gradcheck(depthwise_conv2d, arguments)
        assert torch.autograd.gradgradcheck(depthwise_conv2d, arguments)


@pytest.mark.parametrize("backend", NATIVE)
def test_second_gradients(backend: str) -> None:
    def penalty(arguments: list[Tensor], name: str) -> tuple[Tensor, ...]:
        output = depthwise_conv2d(*arguments, name).square().sum()
        first = torch.autograd.grad(output, arguments, create_graph=True)
        return torch.autograd.grad(sum(gradient.square().sum() for gradient in first), arguments)

    arguments = random_triple(7, 2, 9, (6, 7), (3, 9))
    ours = penalty([argument.requires_grad_() for argument in arguments], backend)
    theirs = penalty([argument.detach().double().requires_grad_() for argument in arguments], "reference")
    for gradient, expected in zip(ours, theirs, strict=True):
        assert_near(gradient, expected, 1e-5)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_only_the_gradients_that_are_asked_for(backend: str) -> None:
    x, weight, bias = random_triple(8, 1, 4, (5, 5), (3, 3))
    with record() as used:
        depthwise_conv2d(x.requires_grad_(), weight, bias, backend).sum().backward()
    assert used == {"depthwise_conv2d": backend}
    assert weight.grad is None
    with torch.no_grad():
        assert not depthwise_conv2d(x, weight, bias, backend).requires_grad


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_torch_accepts_the_ops(backend: str, layout: torch.memory_format) -> None:
    x, weight, bias = (argument.requires_grad_() for argument in random_triple(9, 2, 9, (7, 5), (5, 3)))
    x = x.detach().contiguous(memory_format=layout).requires_grad_()
    gradient = x.detach().clone().requires_grad_()
    ops = torch.ops.pybench
    torch.library.opcheck(ops.depthwise_conv2d, (x, weight, bias, False, backend))
    torch.library.opcheck(ops.depthwise_conv2d, (x, weight, None, True, backend))
    torch.library.opcheck(ops.depthwise_conv2d_weight_gradient, (gradient, x, 5, 3, backend))


def test_compiles_into_one_graph() -> None:
    def loss(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return depthwise_conv2d(x, weight, bias).relu().sum()

    arguments = [argument.requires_grad_() for argument in random_triple(10, 2, 9, (7, 5), (5, 3))]
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(loss(*arguments), arguments)
    with record() as used:
        actual = torch.autograd.grad(compiled(*arguments), arguments)
    assert used["depthwise_conv2d"] == RUNNABLE[0]
    for ours, theirs in zip(actual, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        (torch.ones(2, 3, 3), torch.ones(2, 1, 3, 3), None, r"x must be float32 or float64 \[B, C, H, W\]"),
        (torch.ones(1, 2, 3, 3).half(), torch.ones(2, 1, 3, 3), None, "x must be float32 or float64"),
        (torch.ones(1, 2, 0, 3), torch.ones(2, 1, 3, 3), None, "with C, H, W > 0, but is .* of shape"),
        (torch.ones(1, 0, 3, 3), torch.ones(0, 1, 3, 3), None, "with C, H, W > 0"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 3, 4), None, "weight must be .* with odd kh and kw, but has"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 0, 3), None, "weight must be .* with odd kh and kw, but has"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 2, 3, 3), None, r"weight must be \[C, 1, kh, kw\]"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 3, 3), None, r"weight must be \[C, 1, kh, kw\]"),
        (torch.ones(1, 2, 3, 3), torch.ones(4, 1, 3, 3), None, "weight must have 2 kernels, one per channel"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 3, 3).double(), None, "weight must be torch.float32 on cpu"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 3, 3, device="meta"), None, "but is torch.float32 on meta"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 3, 3), torch.ones(3), r"bias must have the shape \[2\], but has \[3"),
        (torch.ones(1, 2, 3, 3), torch.ones(2, 1, 3, 3), torch.ones(2).double(), "bias must be torch.float32 on cpu"),
    ],
)
def test_refuses_with_a_reason(x: Tensor, weight: Tensor, bias: Tensor | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        depthwise_conv2d(x, weight, bias)


@pytest.mark.parametrize("backend", NATIVE)
def test_forced_native_backends_do_not_fall_back(backend: str) -> None:
    x, weight, bias = random_triple(13, 1, 2, (4, 4), (3, 3))
    double = (x.double(), weight.double(), bias.double())
    with pytest.raises(InputError, match=f"backend '{backend}': {backend}: it takes float32, not torch.float64"):
        depthwise_conv2d(*double, backend)
    with pytest.raises(InputError, match=f"backend '{backend}': {backend}: it takes float32, not torch.float64"):
        depthwise_conv2d(double[0].requires_grad_(), *double[1:], backend)
    with pytest.raises(InputError, match="the tensors are on meta, not on the CPU"):
        depthwise_conv2d(x.to("meta"), weight.to("meta"), None, backend)


@pytest.mark.parametrize("backend", [name for name in CPU_BACKENDS if name not in RUNNABLE])
def test_backends_of_other_processors_say_so(backend: str) -> None:
    x, weight, bias = random_triple(14, 1, 2, (4, 4), (3, 3))
    with pytest.raises(InputError, match=f"{backend}: this (processor|build)"):
        depthwise_conv2d(x, weight, bias, backend)


def test_the_extension_checks_its_views_itself() -> None:
    from pybench import _cpu

    def call(x: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> None:
        capsules = [None if t is None else t.__dlpack__() for t in (x, weight, bias, output)]
        _cpu.depthwise_conv2d("portable", *capsules[:3], False, 1, capsules[3])

    x, weight, bias = random_triple(15, 1, 3, (4, 5), (3, 3))
    output = torch.empty_like(x)
    for arguments, message in (
        ((x[0], weight, bias, output), "x must have 4 dimensions"),
        ((x.double(), weight, bias, output), "x must be float32"),
        ((x, weight[:2], bias, output), r"weight must have the shape \[3, 1, any, any\]"),
        ((x, weight[..., :2], bias, output), "weight must be contiguous"),
        ((x, weight[:, :, :2].contiguous(), bias, output), "weight must have odd sides"),
        ((x, weight, bias[:2], output), r"bias must have the shape \[3\]"),
        ((x, weight, bias, output[..., :4]), "output must have (the shape|pixels at even distances)"),
        ((x[..., ::2][..., :0], weight, bias, output), "x must have pixels"),
        ((x.transpose(2, 3), weight, bias, output.transpose(2, 3)), "x must have pixels at even distances"),
    ):
        with pytest.raises(ValueError, match=message):
            call(*arguments)
    with pytest.raises(ValueError, match=r"output_gradient must have the shape \[1, 3, 4, 5\]"):
        _cpu.depthwise_conv2d_weight_gradient(
            "portable", x[..., :4].contiguous().__dlpack__(), x.__dlpack__(), 1, weight.__dlpack__()
        )
