"""depthwise_conv2d on the GPU: exactness, and times beside torch in both layouts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import torch
from measure import Case, largest_error, milliseconds
from torch import Tensor
from torch.nn import functional

from pybench.ops import depthwise_conv2d

STAGES = [(128, 64, 31), (256, 32, 29), (512, 16, 27), (1024, 8, 13)]  # channels, side, kernel: defect_map, RepLKNet
TOLERANCE = 1e-5  # of the largest value: sums of up to 30,000 products in float32
Convolution = Callable[[Tensor, Tensor], Tensor]


def cases(seed: int) -> Iterator[Case]:
    generator = torch.Generator("cuda").manual_seed(seed)
    yield _small_case(generator, random.Random(seed))
    for channels, side, kernel in STAGES:
        for batch in (1, 8):
            x = torch.randn(batch, channels, side, side, device="cuda", generator=generator)
            weight = torch.randn(channels, 1, kernel, kernel, device="cuda", generator=generator)
            yield from _timed(x, weight)


def _small_case(generator: torch.Generator, chooser: random.Random) -> Case:
    """Fresh shapes: all sizes that are no multiples of a tile, kernels beyond the image, no images."""
    error = 0.0
    for _ in range(100):
        shape = chooser.randint(0, 5), chooser.randint(1, 40), chooser.randint(1, 90), chooser.randint(1, 90)
        kernel = chooser.randint(0, 35) * 2 + 1, chooser.randint(0, 35) * 2 + 1
        x = torch.randn(shape, device="cuda", generator=generator)
        error = max(error, _error(x, torch.randn(shape[1], 1, *kernel, device="cuda", generator=generator)))
    return Case("depthwise_conv2d", "forward and gradients, 100 random shapes", error, TOLERANCE)


def _timed(x: Tensor, weight: Tensor) -> Iterator[Case]:
    batch, channels, side, _ = x.shape
    kernel = weight.shape[2]
    layouts = {"torch NCHW": torch.contiguous_format, "torch channels_last": torch.channels_last}
    plain = {name: x.contiguous(memory_format=layout) for name, layout in layouts.items()}
    within = sum(min(i + kernel // 2, side - 1) - max(i - kernel // 2, 0) + 1 for i in range(side))
    products = batch * channels * within**2
    shape, error = f"{channels}x{side}x{side}, {kernel}x{kernel}, batch {batch}", _error(x, weight)
    for name, measure, passes in (("forward", _forward_ms, 1), ("backward", _backward_ms, 2)):
        ours = measure(_ours, x, weight)
        baselines = {layout: measure(_torch, images, weight) for layout, images in plain.items()}
        rate = 2 * passes * products / ours / 1e9
        yield Case("depthwise_conv2d", f"{name}, {shape}", error, TOLERANCE, ours, baselines, f"{rate:.1f} TFLOP/s")


def _ours(x: Tensor, weight: Tensor) -> Tensor:
    return depthwise_conv2d(x, weight, None, "cuda")


def _torch(x: Tensor, weight: Tensor) -> Tensor:
    return functional.conv2d(x, weight, padding=(weight.shape[2] // 2, weight.shape[3] // 2), groups=len(weight))


def _forward_ms(convolve: Convolution, x: Tensor, weight: Tensor) -> float:
    with torch.no_grad():
        return milliseconds(lambda: convolve(x, weight))


def _backward_ms(convolve: Convolution, x: Tensor, weight: Tensor) -> float:
    leaves = [x.detach().requires_grad_(), weight.detach().requires_grad_()]
    output = convolve(*leaves)
    upstream = torch.ones_like(output)
    return milliseconds(lambda: torch.autograd.grad(output, leaves, upstream, retain_graph=True))


def _error(x: Tensor, weight: Tensor) -> float:
    """Of the output and both gradients, each measured by its largest value."""
    upstream = torch.randn_like(x)
    ours, exact = (
        _results(c, x.to(t), weight.to(t), upstream.to(t)) for c, t in ((_ours, x.dtype), (_exact, torch.double))
    )
    return max(
        largest_error(a, e) / (1 + float(e.abs().max()) if e.numel() else 1) for a, e in zip(ours, exact, strict=True)
    )


def _exact(x: Tensor, weight: Tensor) -> Tensor:
    return depthwise_conv2d(x, weight, None, "reference")


def _results(convolve: Convolution, x: Tensor, weight: Tensor, upstream: Tensor) -> tuple[Tensor, ...]:
    leaves = [x.detach().requires_grad_(), weight.detach().requires_grad_()]
    output = convolve(*leaves)
    return (output.detach(), *torch.autograd.grad(output, leaves, upstream))
