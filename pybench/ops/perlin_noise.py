"""Perlin's gradient noise, from which anomaly masks are cut (local_occ and defect_map, after DRAEM)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pybench.ops.dispatch import Implementation, Op, portable
from pybench.types import InputError


def perlin_noise(height: int, width: int, cells: tuple[int, int], *, seed: int, backend: str = "auto") -> Tensor:
    """Smooth noise that is zero at the points of a lattice (Perlin, "Improving Noise", SIGGRAPH 2002).

    The lattice has ``rows x columns`` cells; pixel (y, x) lies at (y rows / height, x columns / width), so pixel (0, 0)
    is a lattice point. Each lattice point has a gradient of unit length in a random direction. For each corner of a
    pixel's cell, the influence is the dot product of the corner's gradient and the offset from the corner to the pixel.
    The pixel's value is sqrt(2) times the four influences, interpolated along both axes with the weight (fade)
    6 t^5 - 15 t^4 + 10 t^3, where t in [0, 1) is the pixel's place in the cell.

    Args:
        height: of the noise, in pixels; may be 0.
        width: of the noise, in pixels; may be 0.
        cells: rows and columns of the lattice, each at least 1; they need not divide the size.
        seed: draws the directions: the angles are 2 pi times ``torch.rand(rows + 1, columns + 1)`` of a generator on
            the CPU with this seed, counted from the y axis towards the x axis.
        backend: ``auto``, or ``portable`` (native) or ``reference`` to force one; they agree within 1e-5.

    Returns:
        float32 [height, width] in [-1, 1].

    Raises:
        InputError: a negative size, no cell, or the backend cannot run.
    """
    if height < 0 or width < 0:
        raise InputError(f"height and width must not be negative, but are {height} and {width}")
    if min(cells) < 1:
        raise InputError(f"cells must be at least (1, 1), but are {cells}")
    angles = 2 * math.pi * torch.rand(cells[0] + 1, cells[1] + 1, generator=torch.Generator().manual_seed(seed))
    noise: Tensor = _op(backend, torch.stack([angles.cos(), angles.sin()], dim=2), height, width)
    return noise.clamp_(-1, 1)  # rounding may exceed the bounds


def _reference(gradients: Tensor, height: int, width: int) -> Tensor:
    """Plain torch, in float64: the four corners' influences at every pixel, interpolated along x, then along y."""
    rows, y = _places(height, gradients.shape[0] - 1)
    columns, x = _places(width, gradients.shape[1] - 1)

    def influence(down: int, right: int) -> Tensor:
        corner = gradients.double()[rows + down][:, columns + right]
        return corner[..., 0] * (y - down)[:, None] + corner[..., 1] * (x - right)

    along_x, along_y = _fade(x), _fade(y)[:, None]
    upper = torch.lerp(influence(0, 0), influence(0, 1), along_x)
    lower = torch.lerp(influence(1, 0), influence(1, 1), along_x)
    return (math.sqrt(2) * torch.lerp(upper, lower, along_y)).float()


def _places(pixels: int, cells: int) -> tuple[Tensor, Tensor]:
    """Each pixel's cell along an axis, and its place in [0, 1) within it."""
    scaled = torch.arange(pixels) * cells
    return scaled // max(1, pixels), (scaled % max(1, pixels)).double() / pixels


def _fade(t: Tensor) -> Tensor:
    return t**3 * (t * (6 * t - 15) + 10)


def _native(gradients: Tensor, height: int, width: int) -> Tensor:
    import pybench._cpu as _cpu

    noise = torch.empty(height, width)
    _cpu.perlin_noise(gradients.__dlpack__(), noise.__dlpack__())
    return noise


_op = Op("perlin_noise", [portable(_native), Implementation("reference", _reference)])
