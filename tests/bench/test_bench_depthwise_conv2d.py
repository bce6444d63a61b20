"""depthwise_conv2d on the four stages of the large-kernel encoder of defect_map."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pybench.ops import depthwise_conv2d

# Channels, side and kernel of each stage for images of 256 x 256 (defect_map, Sec. 3.3).
STAGES = {1: (128, 64, 31), 2: (256, 32, 29), 3: (512, 16, 27), 4: (1024, 8, 13)}
BATCH = 8
# Of the batch, what torch is given where its gradients take minutes.
BASELINE_BATCH = {1: 2, 2: 2, 3: BATCH, 4: BATCH}
LAYOUTS = {"torch NCHW": torch.contiguous_format, "torch channels_last": torch.channels_last}

Arguments = tuple[Tensor, Tensor, Tensor]


def arguments(stage: int, batch: int, layout: torch.memory_format) -> Arguments:
    channels, side, kernel = STAGES[stage]
    generator = torch.Generator().manual_seed(stage)
    x = torch.randn(batch, channels, side, side, generator=generator).contiguous(memory_format=layout)
    weight = torch.randn(channels, 1, kernel, kernel, generator=generator)
    return x, weight, torch.randn(channels, generator=generator)


def products(stage: int, batch: int) -> float:
    """Multiply-adds of one pass that lie inside the image."""
    channels, side, kernel = STAGES[stage]
    inside = sum(min(i + kernel // 2, side - 1) - max(i - kernel // 2, 0) + 1 for i in range(side))
    return float(batch * channels * inside**2)


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.conv2d(x, weight, bias, padding=weight.shape[2] // 2, groups=len(weight))


def forward(op: Callable[..., Tensor], inputs: Arguments) -> Callable[[], object]:
    return torch.no_grad()(lambda: op(*inputs))


def forward_and_gradients(op: Callable[..., Tensor], inputs: Arguments) -> Callable[[], object]:
    leaves = [tensor.requires_grad_() for tensor in inputs]
    upstream = torch.ones_like(inputs[0])
    return lambda: torch.autograd.grad(op(*leaves), leaves, upstream)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("batch", [1, BATCH])
def test_forward(compare: Callable[..., None], fma_ms: Callable[..., float], stage: int, batch: int) -> None:
    compare(
        op="depthwise_conv2d",
        case=f"forward stage {stage} batch {batch}",
        ours=forward(depthwise_conv2d, arguments(stage, batch, torch.channels_last)),
        baselines={name: forward(plain, arguments(stage, batch, layout)) for name, layout in LAYOUTS.items()},
        floor_ms=fma_ms(products(stage, batch)),
    )


@pytest.mark.parametrize("stage", STAGES)
def test_gradients(compare: Callable[..., None], fma_ms: Callable[..., float], stage: int) -> None:
    part = BASELINE_BATCH[stage]
    compare(
        op="depthwise_conv2d",
        case=f"forward + gradients stage {stage} batch {BATCH}",
        ours=forward_and_gradients(depthwise_conv2d, arguments(stage, BATCH, torch.channels_last)),
        baselines={
            name: forward_and_gradients(plain, arguments(stage, part, layout)) for name, layout in LAYOUTS.items()
        },
        floor_ms=fma_ms(3 * products(stage, BATCH)),
        share=part / BATCH,
    )
