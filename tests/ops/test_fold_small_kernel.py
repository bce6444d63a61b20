"""fold_small_kernel: one convolution with what it returns equals the sum of the two that it replaces."""

from __future__ import annotations

import pytest
import torch

from pybench.ops import backends, depthwise_conv2d, fold_small_kernel
from pybench.types import InputError

RUNNABLE = [name for name, reason in backends()["depthwise_conv2d"].items() if not reason and name != "cuda"]


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("with_small_bias", [True, False])
def test_equals_the_sum_of_both(backend: str, with_bias: bool, with_small_bias: bool) -> None:
    x, weight, bias, small_weight, small_bias = (
        torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        for seed, shape in enumerate([(2, 20, 12, 13), (20, 1, 13, 9), (20,), (20, 1, 5, 3), (20,)])
    )
    large = (weight, bias if with_bias else None)
    small = (small_weight, small_bias if with_small_bias else None)
    folded = fold_small_kernel(*large, *small)
    assert (folded[1] is None) == (not with_bias and not with_small_bias)
    unfolded = depthwise_conv2d(x, *large, backend) + depthwise_conv2d(x, *small, backend)
    torch.testing.assert_close(
        depthwise_conv2d(x, *folded, backend), unfolded, atol=2e-6 * (1 + unfolded.abs().max().item()), rtol=0
    )


def test_refuses_with_a_reason() -> None:
    weight, small = torch.ones(2, 1, 5, 5), torch.ones(2, 1, 3, 3)
    with pytest.raises(
        InputError, match=r"small_weight must not be larger than weight, but has the shape \[2, 1, 3, 7"
    ):
        fold_small_kernel(weight, None, torch.ones(2, 1, 3, 7), None)
    with pytest.raises(InputError, match="small_weight must have 2 kernels"):
        fold_small_kernel(weight, None, torch.ones(3, 1, 3, 3), None)
    with pytest.raises(InputError, match=r"weight must be \[C, 1, kh, kw\] with odd"):
        fold_small_kernel(torch.ones(2, 1, 4, 5), None, small, None)
    with pytest.raises(InputError, match=r"small_bias must have the shape \[2\], but has \[1\]"):
        fold_small_kernel(weight, None, small, torch.ones(1))
    with pytest.raises(
        InputError, match=r"small_weight must be torch.float32 on cpu as the rest, but is torch.float64"
    ):
        fold_small_kernel(weight, None, small.double(), None)
