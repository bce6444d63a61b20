"""Depthwise convolution with large kernels: the encoder of defect_map, after RepLKNet (Ding et al. 2022)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight
from torch.utils.dlpack import to_dlpack  # 20 times as fast as Tensor.__dlpack__

from pybench.ops.dispatch import Implementation, Op, capsule, cuda, current_stream, native
from pybench.types import InputError

# On a GPU (csrc/cuda/depthwise_conv2d), the gradient for the weight is a sum of parts, which are computed in parallel.
# A part has at least GRADIENT_ROWS rows of an image, and parts times channels are at most about GRADIENT_PLANES, which
# is enough to keep a large GPU busy.
GRADIENT_ROWS, GRADIENT_PLANES = 16, 2048


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, backend: str = "auto") -> Tensor:
    """Correlate every channel with its own kernel; stride 1, zero padding, the output has the size of the input.

    Differentiable with respect to ``x``, ``weight`` and ``bias``, any number of times. Native backends compute only
    the products inside the image. So a NaN or an infinity changes exactly those outputs that it is multiplied for.

    Args:
        x: images [B, C, H, W], float32 or float64; B may be 0.
        weight: kernels [C, 1, kh, kw] with odd sides, which may be larger than the image.
        bias: [C], added to each channel, or None.
        backend: ``auto``, or one of ``cuda``, ``avx512``, ``avx2``, ``portable``, ``reference`` to force it, also for
            the gradients. Native backends take float32 on their device. Those of the CPU use
            ``torch.get_num_threads()`` threads; the result does not depend on their number.

    Returns:
        [B, C, H, W], in channels_last if ``x`` is in channels_last, else contiguous; native backends are equally fast
        with both.

    Raises:
        InputError: shapes, dtypes or devices do not fit together, a kernel has an even side, or the backend cannot run.
    """
    _check_images(x)
    check_kernels("weight", weight)
    check_channels("weight", weight, x.shape[1], x)
    if bias is not None:
        check_bias("bias", bias, weight)
    if torch.compiler.is_compiling() or (torch.is_grad_enabled() and _requires_grad(x, weight, bias)):
        output: Tensor = _convolve(x, weight, bias, False, backend)
    else:
        output = _op(backend, x, weight, bias, False)
    return output


def _check_images(x: Tensor) -> None:
    if x.dim() != 4 or x.dtype not in (torch.float32, torch.float64) or 0 in x.shape[1:]:
        raise InputError(
            f"x must be float32 or float64 [B, C, H, W] with C, H, W > 0, but is {x.dtype} of shape {list(x.shape)}"
        )


def check_kernels(name: str, weight: Tensor) -> None:
    """Check that ``weight`` has the shape [C, 1, kh, kw] with odd kh and kw.

    Raises:
        InputError: it has another shape; the message calls it ``name``.
    """
    shape = weight.shape
    if len(shape) != 4 or shape[1] != 1 or shape[2] % 2 == 0 or shape[3] % 2 == 0:
        raise InputError(f"{name} must be [C, 1, kh, kw] with odd kh and kw, but has the shape {list(shape)}")


def check_channels(name: str, weight: Tensor, channels: int, other: Tensor) -> None:
    """Check that there is one kernel per channel, with the dtype and device of ``other``.

    Raises:
        InputError: the number, dtype or device is another; the message calls the kernels ``name``.
    """
    if len(weight) != channels:
        shape = list(weight.shape)
        raise InputError(f"{name} must have {channels} kernels, one per channel, but has the shape {shape}")
    _check_same(name, weight, other)


def check_bias(name: str, bias: Tensor, weight: Tensor) -> None:
    """Check that the bias has the shape [C], and the dtype and device of the kernels ``weight`` [C, 1, kh, kw].

    Raises:
        InputError: its shape, dtype or device is another; the message calls it ``name``.
    """
    if bias.shape != weight.shape[:1]:
        raise InputError(f"{name} must have the shape [{weight.shape[0]}], but has {list(bias.shape)}")
    _check_same(name, bias, weight)


def _check_same(name: str, tensor: Tensor, other: Tensor) -> None:
    if tensor.dtype != other.dtype or tensor.device != other.device:
        raise InputError(
            f"{name} must be {other.dtype} on {other.device} as the rest, but is {tensor.dtype} on {tensor.device}"
        )


def _requires_grad(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    return x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)


# --- registration in torch: the convolution and its gradient for the weight; the derivatives of each use both ---------


@torch.library.custom_op(
    "pybench::depthwise_conv2d",
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor? bias, bool transposed, str backend) -> Tensor",
)
def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, backend: str) -> Tensor:
    """``transposed`` turns the kernels by 180 degrees, which gives the gradient for x from that for the output."""
    output: Tensor = _op(backend, x, weight, bias, transposed)
    return output


@torch.library.custom_op(
    "pybench::depthwise_conv2d_weight_gradient",
    mutates_args=(),
    schema="(Tensor gradient, Tensor x, SymInt kernel_height, SymInt kernel_width, str backend) -> Tensor",
)
def _correlate(gradient: Tensor, x: Tensor, kernel_height: int, kernel_width: int, backend: str) -> Tensor:
    """Gradient for the weight, [C, 1, kh, kw], from the gradient for the output and x, both [B, C, H, W]."""
    result: Tensor = _gradient_op(backend, gradient, x, kernel_height, kernel_width)
    return result


@_convolve.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, backend: str) -> Tensor:
    return torch.empty_like(x, memory_format=_layout(x))


@_correlate.register_fake
def _(gradient: Tensor, x: Tensor, kernel_height: int, kernel_width: int, backend: str) -> Tensor:
    return x.new_empty(x.shape[1], 1, kernel_height, kernel_width)


def _save_convolve(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, _, ctx.transposed, ctx.backend = inputs
    ctx.save_for_backward(x, weight)


def _differentiate_convolve(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    for_x = for_weight = for_bias = None
    if ctx.needs_input_grad[0]:
        for_x = _convolve(gradient, weight, None, not ctx.transposed, ctx.backend)
    if ctx.needs_input_grad[1]:
        for_weight = _correlate(gradient, x, weight.shape[2], weight.shape[3], ctx.backend)
        for_weight = for_weight.flip(2, 3) if ctx.transposed else for_weight
    if ctx.needs_input_grad[2]:
        for_bias = gradient.sum((0, 2, 3))
    return for_x, for_weight, for_bias, None, None


def _save_correlate(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    gradient, x, _, _, ctx.backend = inputs
    ctx.save_for_backward(gradient, x)


def _differentiate_correlate(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:
    gradient, x = ctx.saved_tensors
    for_gradient = _convolve(x, weight, None, False, ctx.backend) if ctx.needs_input_grad[0] else None
    for_x = _convolve(gradient, weight, None, True, ctx.backend) if ctx.needs_input_grad[1] else None
    return for_gradient, for_x, None, None, None


_convolve.register_autograd(_differentiate_convolve, setup_context=_save_convolve)
_correlate.register_autograd(_differentiate_correlate, setup_context=_save_correlate)


# --- implementations --------------------------------------------------------------------------------------------------


def _layout(x: Tensor) -> torch.memory_format:
    """The memory format of an output for the input x."""
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last


def _padding(kernel_height: int, kernel_width: int) -> tuple[int, int]:
    return kernel_height // 2, kernel_width // 2


def _reference(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
    kernels = weight.flip(2, 3) if transposed else weight
    output = functional.conv2d(x, kernels, bias, padding=_padding(*weight.shape[2:]), groups=len(weight))
    return output.contiguous(memory_format=_layout(x))


def _reference_gradient(gradient: Tensor, x: Tensor, kernel_height: int, kernel_width: int) -> Tensor:
    shape = (x.shape[1], 1, kernel_height, kernel_width)
    result: Tensor = conv2d_weight(x, shape, gradient, padding=_padding(*shape[2:]), groups=shape[0])
    return result.contiguous()


def _native(level: str, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
    import pybench._cpu as _cpu

    layout = _layout(x)
    output = torch.empty_like(x, memory_format=layout)
    _cpu.depthwise_conv2d(
        level,
        to_dlpack(x.detach().contiguous(memory_format=layout)),
        to_dlpack(weight.detach().contiguous()),
        None if bias is None else to_dlpack(bias.detach().contiguous()),
        transposed,
        torch.get_num_threads(),
        to_dlpack(output),
    )
    return output


def _native_gradient(level: str, gradient: Tensor, x: Tensor, kernel_height: int, kernel_width: int) -> Tensor:
    import pybench._cpu as _cpu

    result = x.new_empty(x.shape[1], 1, kernel_height, kernel_width)
    _cpu.depthwise_conv2d_weight_gradient(
        level,
        to_dlpack(gradient.detach().contiguous(memory_format=_layout(gradient))),
        to_dlpack(x.detach().contiguous(memory_format=_layout(x))),
        torch.get_num_threads(),
        to_dlpack(result),
    )
    return result


def _cuda(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
    import pybench._cuda as _cuda

    images = x.contiguous()
    kernels = weight.contiguous()
    biases = None if bias is None else bias.contiguous()
    output = torch.empty_like(images)
    with current_stream(x) as stream:
        _cuda.depthwise_conv2d(
            capsule(images),
            capsule(kernels),
            None if biases is None else capsule(biases),
            transposed,
            capsule(output),
            stream,
        )
    return output.contiguous(memory_format=_layout(x))


def _cuda_gradient(gradient: Tensor, x: Tensor, kernel_height: int, kernel_width: int) -> Tensor:
    import pybench._cuda as _cuda

    gradient, images = gradient.contiguous(), x.contiguous()
    batch, channels, height, _ = x.shape
    parts = min(batch * -(-height // GRADIENT_ROWS), -(-GRADIENT_PLANES // channels))
    partial = x.new_empty(parts, channels, 1, kernel_height, kernel_width)
    with current_stream(x) as stream:
        _cuda.depthwise_conv2d_weight_gradient(capsule(gradient), capsule(images), capsule(partial), stream)
    return partial.sum(0)


_op = Op("depthwise_conv2d", [cuda(_cuda), *native(_native), Implementation("reference", _reference)])
_gradient_op = Op(
    "depthwise_conv2d_weight_gradient",
    [cuda(_cuda_gradient), *native(_native_gradient), Implementation("reference", _reference_gradient)],
)
