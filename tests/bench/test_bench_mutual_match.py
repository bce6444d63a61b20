"""mutual_match on HETMM's three layers of one 256 x 256 image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pybench.ops import Precision, TemplateBank, mutual_match, pack_templates

# Channels, side and window of layers 1 to 3 of a Wide ResNet (HETMM, Sec. 4.2).
LAYERS = ((256, 64, 9), (512, 32, 7), (1024, 16, 5))


def layers(count: int, precision: Precision = "full") -> list[tuple[Tensor, TemplateBank, int]]:
    """Query, bank and window of each layer."""
    generator = torch.Generator().manual_seed(count)
    made = []
    for channels, side, window in LAYERS:
        query = torch.randn(1, channels, side, side, generator=generator)
        templates = torch.randn(count, channels, side, side, generator=generator)
        made.append((query, pack_templates(templates, precision), window))
    return made


def products(count: int) -> float:
    """Multiply-adds of all dot products that lie within the border."""
    total = 0
    for channels, side, window in LAYERS:
        inside = sum(min(i + window // 2, side - 1) - max(i - window // 2, 0) + 1 for i in range(side))
        total += channels * inside**2 * count
    return float(total)


def match(inputs: list[tuple[Tensor, TemplateBank, int]], backend: str) -> None:
    for query, bank, window in inputs:
        mutual_match(query, bank, window, window, backend)


@pytest.mark.parametrize("count", [60, 209])
def test_three_layers(compare: Callable[..., None], fma_ms: Callable[..., float], count: int) -> None:
    inputs = layers(count)
    compare(
        op="mutual_match",
        case=f"fp32, three layers, N={count}",
        ours=lambda: match(inputs, "auto"),
        baselines={"torch gather + bmm": lambda: match(inputs, "reference")},
        floor_ms=fma_ms(products(count)),
    )


@pytest.mark.parametrize("count", [60, 209])
def test_reduced_precision(compare: Callable[..., None], count: int) -> None:
    """The 16-bit form against the op's own float32."""
    full, reduced = layers(count), layers(count, "reduced")
    compare(
        op="mutual_match",
        case=f"16 bit, three layers, N={count}",
        ours=lambda: match(reduced, "auto"),
        baselines={"its own fp32": lambda: match(full, "auto")},
    )
