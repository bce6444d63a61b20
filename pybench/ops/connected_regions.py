"""Connected regions of binary masks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from pybench.ops.dispatch import Implementation, Op, portable
from pybench.types import InputError

Regions = tuple[NDArray[np.int32], NDArray[np.int64]]


def connected_regions(masks: NDArray[np.bool_], *, backend: str = "auto") -> Regions:
    """Label the 8-connected regions of each mask: pixels that touch by a side or a corner belong together.

    Args:
        masks: bool [B, H, W], H * W < 2^31; any size may be 0.
        backend: ``auto``, or ``portable`` or ``reference`` to force one. ``portable`` is native and uses
            ``torch.get_num_threads()`` threads, each for other masks.

    Returns:
        Labels int32 [B, H, W] and the number of regions of each mask, int64 [B]. In each mask the background is 0 and
        the regions are 1, 2, ... in the raster order of their first pixels, as ``scipy.ndimage.label`` numbers them.

    Raises:
        InputError: ``masks`` is not a bool array of three dimensions, a mask is too large, or the backend cannot run.
    """
    if masks.ndim != 3 or masks.dtype != np.bool_:
        raise InputError(f"masks must be bool [B, H, W], but are {masks.dtype} of shape {list(masks.shape)}")
    if masks.shape[1] * masks.shape[2] >= 2**31:
        raise InputError(f"a mask must have fewer than 2^31 pixels, but the shape is {list(masks.shape)}")
    regions: Regions = _op(backend, masks)
    return regions


def _reference(masks: NDArray[np.bool_]) -> Regions:
    """SciPy, mask by mask."""
    labels = np.zeros(masks.shape, np.int32)
    counts = [ndimage.label(mask, np.ones((3, 3)), found) for mask, found in zip(masks, labels, strict=True)]
    return labels, np.array(counts, np.int64)


def _native(masks: NDArray[np.bool_]) -> Regions:
    import pybench._cpu as _cpu

    # DLPack takes neither bool from older NumPy nor arrays that are read-only.
    pixels = np.require(masks, requirements=["C", "W"]).view(np.uint8)
    labels, counts = np.zeros(masks.shape, np.int32), np.zeros(len(masks), np.int64)
    _cpu.connected_regions(pixels.__dlpack__(), torch.get_num_threads(), labels.__dlpack__(), counts.__dlpack__())
    return labels, counts


_op = Op("connected_regions", [portable(_native), Implementation("reference", _reference)])
