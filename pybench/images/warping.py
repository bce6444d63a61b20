"""The geometry of a ``Warp``: images and masks are rotated and cropped alike."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pybench.types import Warp

Floats = NDArray[np.float64]


def warp_image(image: NDArray[np.float32], warp: Warp) -> NDArray[np.float32]:
    """Rotate and crop an image [H, W, C] at its size, bilinearly."""
    import torch
    from torch.nn.functional import grid_sample

    rows, columns, outside = _seen(image.shape[:2], warp)
    height, width = image.shape[:2]
    # grid_sample wants (x, y) with -1 and 1 at the outer edges of the outermost pixels.
    grid = np.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], axis=-1).astype(np.float32)
    channels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    moved = grid_sample(channels[None], torch.from_numpy(grid)[None], padding_mode="border", align_corners=False)
    result: NDArray[np.float32] = moved[0].permute(1, 2, 0).contiguous().numpy()
    if warp.fill == "black":
        result[outside] = 0
    return result


def warp_mask(mask: NDArray[np.bool_], warp: Warp) -> NDArray[np.bool_]:
    """Rotate and crop a mask [H, W] at its size by nearest neighbour; filled as its image is."""
    rows, columns, outside = _seen(mask.shape, warp)
    result = mask[np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)]
    if warp.fill == "black":
        result[outside] = False
    return result


def share_kept(mask: NDArray[np.bool_], warp: Warp) -> float:
    """Share of a mask's true pixels [H, W] whose centres stay in view; 1 for a mask without any.

    It counts pixels of the original, so the crop's magnification and the pixels that the fill repeats do not matter.
    """
    positions = np.argwhere(mask)
    if not len(positions):
        return 1.0
    matrix, offset = _result_to_original(mask.shape, warp)
    moved = (positions - offset) @ np.linalg.inv(matrix).T
    inside = (moved >= -0.5) & (moved < np.array(mask.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def _seen(shape: tuple[int, ...], warp: Warp) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Which row and column of the original each pixel of the result shows, and which pixels lie outside the original.

    Each is [H, W]. Outside, row and column are those that the fill repeats there.
    """
    matrix, offset = _result_to_original(shape, warp)
    down, right = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    rows, columns = (line[0] * down + line[1] * right + start for line, start in zip(matrix, offset, strict=True))
    outside = (rows < -0.5) | (rows > shape[0] - 0.5) | (columns < -0.5) | (columns > shape[1] - 0.5)
    if warp.fill == "reflect":
        rows, columns = _mirror(rows, shape[0]), _mirror(columns, shape[1])
    return rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1), outside


def _mirror(positions: Floats, size: int) -> Floats:
    """Fold positions back at the outer edges, -0.5 and size - 0.5, as often as it takes."""
    folded: Floats = size - np.abs((positions + 0.5) % (2 * size) - size) - 0.5
    return folded


def _result_to_original(shape: tuple[int, ...], warp: Warp) -> tuple[Floats, Floats]:
    """Matrix and offset from (row, column) of the result to (row, column) of the original, both at pixel centres.

    A point of the crop, relative to the rotated image's centre, is turned back clockwise; rows point down.
    """
    cosine, sine = math.cos(math.radians(warp.angle)), math.sin(math.radians(warp.angle))
    turn_back = np.array([[cosine, sine], [-sine, cosine]])
    size = np.array(shape, dtype=np.float64)
    corner, scale = np.array(warp.crop[:2]) * size, np.array(warp.crop[2:])
    offset = turn_back @ (corner + 0.5 * scale - size / 2) + size / 2 - 0.5
    return turn_back * scale, offset
