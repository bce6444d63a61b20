"""Cases of `pybench gate`: each native op on shapes from the papers, sized to a few milliseconds on one thread.

Runs inside base's and head's process (see worker.py) and imports that revision's ``pybench.ops`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

import pybench._cpu as _cpu
from pybench import ops

Call = Callable[[int], object]

PACKAGES = ["pybench"]


def cases() -> dict[str, Callable[[], tuple[Call, str]]]:
    """Builders of the cases whose op this revision has."""
    torch.set_num_threads(1)
    known = {name: make for name, (op, make) in CASES.items() if hasattr(ops, op)}
    return {name: partial(_built, make) for name, make in known.items()}


def _built(make: Callable[[], Call]) -> tuple[Call, str]:
    return make(), _level()


def _level() -> str:
    """The instruction set that the ops use: both sides must agree on it."""
    return next(level for level, reason in _cpu.simd_levels() if not reason)


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def _mutual_match(channels: int, side: int, window: int, sheets: int, precision: ops.Precision) -> Call:
    query = _normal(1, channels, side, side)
    bank = ops.pack_templates(_normal(sheets, channels, side, side), precision)
    return lambda _: ops.mutual_match(query, bank, window, window)


def _optics_select() -> Call:
    """60 examples in five groups at 48 positions."""
    features = _normal(60, 48, 256)
    features += 2 * _normal(5, 1, 48, 256).flatten(0, 1).repeat(12, 1, 1)
    return lambda _: ops.optics_select(features, 10)


def _depthwise(batch: int, channels: int, side: int, kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    x = _normal(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
    return x, _normal(channels, 1, kernel, kernel), _normal(channels)


def _depthwise_forward() -> Call:
    x, weight, bias = _depthwise(1, 256, 32, 29)
    return lambda _: ops.depthwise_conv2d(x, weight, bias)


def _depthwise_gradients() -> Call:
    x, weight, bias = (tensor.requires_grad_() for tensor in _depthwise(1, 512, 16, 27))
    upstream = torch.ones_like(x)
    return lambda _: torch.autograd.grad(ops.depthwise_conv2d(x, weight, bias), (x, weight, bias), upstream)


def _k_center() -> Call:
    points = _normal(2000, 64)
    return lambda _: ops.k_center(points, 100, seed=0)


def _connected_regions() -> Call:
    masks = np.random.default_rng(0).random((24, 256, 256), np.float32) < 0.1
    return lambda _: ops.connected_regions(masks)


def _perlin_noise() -> Call:
    return lambda _: ops.perlin_noise(1024, 1024, (8, 32), seed=0)


CASES: dict[str, tuple[str, Callable[[], Call]]] = {
    "mutual_match, float32": ("mutual_match", lambda: _mutual_match(1024, 16, 5, 16, "full")),
    "mutual_match, 16 bit": ("mutual_match", lambda: _mutual_match(256, 32, 7, 16, "reduced")),
    "optics_select": ("optics_select", _optics_select),
    "depthwise_conv2d": ("depthwise_conv2d", _depthwise_forward),
    "depthwise_conv2d, gradients": ("depthwise_conv2d", _depthwise_gradients),
    "k_center": ("k_center", _k_center),
    "connected_regions": ("connected_regions", _connected_regions),
    "perlin_noise": ("perlin_noise", _perlin_noise),
}
