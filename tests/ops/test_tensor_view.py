"""What the extension refuses at its border: tensors arrive there as DLPack capsules."""

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench import _cpu


def unit_rows(features: Tensor, unit: Tensor) -> None:
    _cpu.unit_rows(features.__dlpack__(), 1e-12, 1, unit.__dlpack__())


def test_takes_strided_views() -> None:
    features = torch.randn(2, 6, 40, generator=torch.Generator().manual_seed(0))
    unit = torch.full((2, 20, 8), torch.nan)
    unit_rows(features[:, 1:4, 5:25], unit[..., 2:5])
    expected = torch.nn.functional.normalize(features[:, 1:4, 5:25], dim=1).transpose(1, 2)
    torch.testing.assert_close(unit[..., 2:5], expected)
    assert unit[..., :2].isnan().all()
    assert unit[..., 5:].isnan().all()


def test_takes_numpy_arrays_and_lets_go_of_them() -> None:
    features, unit = np.full((1, 4, 3), 2, np.float32), np.zeros((1, 3, 4), np.float32)
    before = sys.getrefcount(features)
    _cpu.unit_rows(features.__dlpack__(), 1e-12, 1, unit.__dlpack__())
    np.testing.assert_allclose(unit, 0.5)
    assert sys.getrefcount(features) == before


@pytest.mark.parametrize(
    ("features", "unit", "message"),
    [
        (torch.ones(1, 2, 3).double(), torch.ones(1, 3, 2), "features must be float32, but is float64"),
        (torch.ones(1, 2, 3).int(), torch.ones(1, 3, 2), "features must be float32, but is int32"),
        (torch.ones(1, 2, 3), torch.ones(1, 3, 2).bfloat16(), "unit must be float32, but is bfloat16"),
        (torch.ones(2, 3), torch.ones(1, 3, 2), r"features must have 3 dimensions, but its shape is \[2, 3\]"),
        (torch.ones(1, 2, 3), torch.ones(1, 2, 3), r"unit must have the shape \[1, 3, 2\], but has \[1, 2, 3\]"),
        (torch.ones(1, 3, 2).mT, torch.ones(1, 3, 2), r"features must be contiguous in its last 1 .* are \[6, 1, 2\]"),
    ],
)
def test_refuses_with_a_reason(features: Tensor, unit: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unit_rows(features, unit)


def test_refuses_what_is_no_capsule() -> None:
    capsule = torch.ones(1, 2, 3).__dlpack__()
    torch.from_dlpack(capsule)  # consumes it
    for wrong in (capsule, torch.ones(1, 2, 3), None):
        with pytest.raises(TypeError, match="DLPack capsule"):
            _cpu.unit_rows(wrong, 1e-12, 1, torch.ones(1, 3, 2).__dlpack__())


def test_a_tensor_that_requires_grad_gives_no_capsule() -> None:
    with pytest.raises(BufferError, match="require"):
        unit_rows(torch.ones(1, 2, 3, requires_grad=True), torch.ones(1, 3, 2))


def test_mutual_match_checks_what_it_gets() -> None:
    def call(level: str = "portable", window: int = 3, panels: tuple[int, ...] = (4, 1, 2, 16), rows: int = 4) -> None:
        query, bank, maps = torch.ones(1, 4, 2), torch.ones(panels), torch.ones(2, 1, rows)
        forward, backward = (m.__dlpack__() for m in maps)
        _cpu.mutual_match(level, query.__dlpack__(), bank.__dlpack__(), 2, 2, window, 1, 1, forward, backward)

    call()
    for wrong, message in (
        ({"level": "mmx"}, "unknown level mmx"),
        ({"window": 2}, "windows must be odd and positive"),
        ({"panels": (4, 1, 3, 16)}, r"panels must have the shape \[4, any, 2, 16\], but has \[4, 1, 3, 16\]"),
        ({"panels": (4, 0, 2, 16)}, "panels must hold a template"),
        ({"rows": 5}, r"forward must have the shape \[1, 4\], but has \[1, 5\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call(**wrong)
    for level, reason in _cpu.simd_levels():
        if reason:
            with pytest.raises(ValueError, match=f"level {level} cannot run: this"):
                call(level=level)
