"""The kernels for GPUs, compiled to run on the CPU: indices and arithmetic, not speed nor the memory model."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

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
    got = parts.double().sum(dim=3).flatten(2)
    expected = functional.pad(functional.normalize(features, dim=1).mT, (0, steps * channels - shape[1]))
    tolerance = 2.0**-20 if split else 2.0**-11
    torch.testing.assert_close(got, expected.double(), atol=2.0**-24, rtol=tolerance)
