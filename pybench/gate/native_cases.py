"""A script that calls the native ops under Valgrind (instructions.py), with no library but NumPy: importing torch would
take minutes there.

Around the calls of each op stand calls of ``getsid``, at which callgrind begins a new file of counts: one for the op
called once, one for it called twice. Their difference is one call, without what Python does around it. Prints the ops'
names in that order, and the instruction set that they used, as JSON.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pybench._cpu as _cpu

Call = Callable[[], object]

LEVEL = next(level for level, reason in _cpu.simd_levels() if not reason)


def _normal(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def _capsule(array: NDArray[Any]) -> Any:
    return array.__dlpack__()


def _mutual_match() -> Call:
    """Layer 3 of one image with 16 templates: features, their unit rows, then the distances."""
    channels, side, window = 1024, 16, 5
    pixels = side * side
    features, rows = _normal(1, channels, pixels), np.empty((1, pixels, channels), np.float32)
    panels, found = _normal(pixels, 1, channels, 16), np.empty((2, 1, pixels), np.float32)

    def call() -> None:
        _cpu.unit_rows(_capsule(features), 1e-12, 1, _capsule(rows))
        banks = (_capsule(rows), _capsule(panels))
        _cpu.mutual_match(LEVEL, *banks, side, side, window, window, 1, _capsule(found[0]), _capsule(found[1]))

    return call


def _optics_select() -> Call:
    features = _normal(40, 8, 128)
    features += 2 * np.tile(_normal(4, 8, 128), (10, 1, 1))
    selected = np.empty((8, 8, 128), np.float32)
    return lambda: _cpu.optics_select(LEVEL, _capsule(features), 5, False, 1, _capsule(selected))


def _depthwise_forward() -> Call:
    x, weight, bias = _normal(1, 64, 32, 32), _normal(64, 1, 29, 29), _normal(64)
    output = np.empty_like(x)

    def call() -> None:
        kernels = (_capsule(weight), _capsule(bias))
        _cpu.depthwise_conv2d(LEVEL, _capsule(x), *kernels, False, 1, _capsule(output))

    return call


def _depthwise_weight_gradient() -> Call:
    x, gradient = _normal(1, 64, 16, 16), _normal(1, 64, 16, 16)[:, ::-1].copy()
    result = np.empty((64, 1, 27, 27), np.float32)
    return lambda: _cpu.depthwise_conv2d_weight_gradient(LEVEL, _capsule(gradient), _capsule(x), 1, _capsule(result))


def _k_center() -> Call:
    points, chosen = _normal(1000, 64), np.empty(50, np.int64)
    return lambda: _cpu.k_center(LEVEL, _capsule(points), _capsule(points), 0, 1, _capsule(chosen))


def _connected_regions() -> Call:
    masks = (np.random.default_rng(0).random((4, 256, 256), np.float32) < 0.1).view(np.uint8)
    labels, counts = np.zeros(masks.shape, np.int32), np.zeros(len(masks), np.int64)
    return lambda: _cpu.connected_regions(_capsule(masks), 1, _capsule(labels), _capsule(counts))


def _perlin_noise() -> Call:
    gradients, noise = _normal(9, 33, 2), np.empty((512, 512), np.float32)
    return lambda: _cpu.perlin_noise(_capsule(gradients), _capsule(noise))


CASES: dict[str, Callable[[], Call]] = {
    "mutual_match": _mutual_match,
    "optics_select": _optics_select,
    "depthwise_conv2d": _depthwise_forward,
    "depthwise_conv2d, weight gradient": _depthwise_weight_gradient,
    "k_center": _k_center,
    "connected_regions": _connected_regions,
    "perlin_noise": _perlin_noise,
}


def main() -> None:
    """Call every op once, then twice, after a first call that is not counted."""
    gc.disable()
    counted, failed = [], {}
    for name, make in CASES.items():
        try:
            call = make()
            call()
        except (AttributeError, TypeError, ValueError) as error:
            failed[name] = f"{type(error).__name__}: {error}"  # another revision's extension may take other arguments
            continue
        os.getsid(0)
        call()
        os.getsid(0)
        call()
        call()
        os.getsid(0)
        counted.append(name)
    print(json.dumps({"level": LEVEL, "file": _cpu.__file__, "counted": counted, "failed": failed}), flush=True)


if __name__ == "__main__":
    main()
