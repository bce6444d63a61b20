"""Folding of a small depthwise kernel into a large one that runs beside it, after RepLKNet (Ding et al. 2022)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from pybench.ops.depthwise_conv2d import check_bias, check_channels, check_kernels
from pybench.types import InputError


def fold_small_kernel(
    weight: Tensor, bias: Tensor | None, small_weight: Tensor, small_bias: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Fold the parallel small kernel into the large one (re-parameterisation of RepLKNet, Ding et al. 2022, Sec. 3).

    ``depthwise_conv2d`` with the folded kernel equals the sum of ``depthwise_conv2d`` with the large and with the small
    one. Differentiable.

    Args:
        weight: kernels [C, 1, kh, kw] with odd sides.
        bias: [C] or None.
        small_weight: kernels [C, 1, h, w] with odd sides, h <= kh and w <= kw.
        small_bias: [C] or None.

    Returns:
        The weight [C, 1, kh, kw], and the bias [C], or None where both biases are None.

    Raises:
        InputError: shapes, dtypes or devices do not fit together, or a kernel has an even side.
    """
    check_kernels("weight", weight)
    check_kernels("small_weight", small_weight)
    check_channels("small_weight", small_weight, len(weight), weight)
    rows, columns = (weight.shape[i] - small_weight.shape[i] for i in (2, 3))
    if rows < 0 or columns < 0:
        raise InputError(
            f"small_weight must not be larger than weight, but has the shape {list(small_weight.shape)} beside "
            f"{list(weight.shape)}"
        )
    for name, values in (("bias", bias), ("small_bias", small_bias)):
        if values is not None:
            check_bias(name, values, weight)
    folded = weight + functional.pad(small_weight, (columns // 2, columns // 2, rows // 2, rows // 2))
    return folded, small_bias if bias is None else bias if small_bias is None else bias + small_bias
