"""A picture under construction: float64 RGB in [0, 1] with coordinates that already carry the object's pose.

Coordinates: x to the right and y down, both in [-1, 1] over the image where the pose is neutral, so that a pixel of a
256-pixel image is 1/128. Shapes come as signed distances (``shapes``) and are blended with anti-aliased edges. Since a
pose moves the coordinates and not the picture, nothing is ever resampled. All randomness comes from named streams
(``Dice``): the numbers of one stream do not depend on what else was drawn, so that a scene can be drawn again with one
part changed and everything else equal.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .shapes import Field, Point

Colour = tuple[float, float, float] | NDArray[np.float64]


class Dice:
    """Random streams by name, each fixed by an identity (seed, category, folder, index ...) and the name."""

    def __init__(self, *identity: str | int) -> None:
        self.identity = identity

    def __call__(self, name: str) -> np.random.Generator:
        """The stream of that name, from its beginning."""
        text = "\x1f".join(str(part) for part in (*self.identity, name))
        return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")))


@dataclass(frozen=True)
class Pose:
    """Where the object lies in the image: turned by ``angle`` radians, scaled, then shifted (object units)."""

    shift: Point = (0.0, 0.0)
    angle: float = 0.0
    scale: float = 1.0


class Canvas:
    """A square picture with object coordinates.

    Attributes:
        picture: float64 [H, W, 3], drawn upon in place.
        x, y: float64 [H, W], object coordinates of the pixel centres.
        pixel: side of a pixel in object units.
    """

    def __init__(self, size: int, pose: Pose | None = None) -> None:
        self.size = size
        self.pose = pose or Pose()
        self.pixel = 2 / size / self.pose.scale
        line = (np.arange(size) + 0.5) * 2 / size - 1
        dx, dy = line[None, :] - self.pose.shift[0], line[:, None] - self.pose.shift[1]
        cos, sin = float(np.cos(self.pose.angle)), float(np.sin(self.pose.angle))
        self.x: Field = (cos * dx + sin * dy) / self.pose.scale
        self.y: Field = (cos * dy - sin * dx) / self.pose.scale
        self.picture: Field = np.zeros((size, size, 3))
        self.rows, self.columns = slice(0, size), slice(0, size)

    def window(self, centre: Point, radius: float) -> Canvas:
        """The part around an object point, as a canvas on this one's picture: cheap drawing of small things."""
        cos, sin = float(np.cos(self.pose.angle)), float(np.sin(self.pose.angle))
        column, row = (
            ((value * self.pose.scale + shift) + 1) * self.size / 2
            for value, shift in (
                (cos * centre[0] - sin * centre[1], self.pose.shift[0]),
                (sin * centre[0] + cos * centre[1], self.pose.shift[1]),
            )
        )
        reach = radius / self.pixel + 2
        part = copy.copy(self)
        part.rows, part.columns = (
            slice(int(np.clip(middle - reach, 0, self.size)), int(np.clip(np.ceil(middle + reach), 0, self.size)))
            for middle in (row, column)
        )
        part.x, part.y = self.x[part.rows, part.columns], self.y[part.rows, part.columns]
        part.picture = self.picture[part.rows, part.columns]
        return part

    def cover(self, distance: Field, soft: float = 1.0) -> Field:
        """Share of each pixel inside a shape, in [0, 1]; the edge is ``soft`` pixels of a 256-pixel image wide."""
        width = max(soft * 2 / 256 / self.pose.scale, self.pixel)
        return clipped(0.5 - distance / width)

    def fill(self, distance: Field, colour: Colour, opacity: float = 1.0, soft: float = 1.0) -> Field:
        """Fill a shape with a colour (RGB, or a picture of this canvas' shape); returns its cover."""
        cover = self.cover(distance, soft)
        self.blend(cover * opacity if opacity != 1 else cover, colour)
        return cover

    def blend(self, alpha: Field, colour: Colour) -> None:
        """Blend a colour (RGB, or a picture of this canvas' shape) over the picture with weights [H, W] in [0, 1]."""
        touched = alpha > 0
        paint = np.asarray(colour, dtype=np.float64)
        here = self.picture[touched]
        here += alpha[touched][:, None] * ((paint if paint.ndim == 1 else paint[touched]) - here)
        self.picture[touched] = here

    def shade(self, factor: Field, alpha: Field | None = None) -> None:
        """Multiply the brightness by ``factor`` [H, W], only as far as ``alpha`` says."""
        self.picture *= (factor if alpha is None else 1 + alpha * (factor - 1))[..., None]

    def relief(self, height: Field, light: float, strength: float) -> Field:
        """Brightness factor of a height map (object units) lit from the angle ``light`` (radians, image axes)."""
        down, right = np.gradient(height, 2 / self.size)
        factor: Field = 1 - strength * (right * np.cos(light) + down * np.sin(light))
        return np.minimum(np.maximum(factor, 0.2), 2.5)

    def noise(
        self,
        rng: np.random.Generator,
        cell: float | Point,
        octaves: int = 1,
        angle: float = 0.0,
        warp: Field | float = 0.0,
    ) -> Field:
        """Smooth noise in about [-1, 1] that moves with the object.

        ``cell`` is the size of its bumps in object units, or (along, across) for streaks that run along ``angle``.
        ``warp`` is added across the streaks. Each octave halves the bumps and their height.
        """
        along, across = cell if isinstance(cell, tuple) else (cell, cell)
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        u, v = (cos * self.x + sin * self.y) / along, (cos * self.y - sin * self.x + warp) / across
        total = lattice_noise(rng, u, v)
        for octave in range(1, octaves):
            total = total + lattice_noise(rng, u * 2**octave, v * 2**octave) / 2**octave
        return total


def lattice_noise(rng: np.random.Generator, u: Field, v: Field) -> Field:
    """Value noise: random values on the integer lattice, in [-1, 1], smoothly interpolated; repeats after 64 cells.

    Source: K. Perlin, "An Image Synthesizer" (1985), with the weights 3t^2 - 2t^3.
    """
    table = rng.uniform(-1, 1, (64, 64))
    column, row = np.floor(u), np.floor(v)
    s, t = u - column, v - row
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    left, top = column.astype(np.int64) & 63, (row.astype(np.int64) & 63) * 64
    right, bottom = (left + 1) & 63, (top + 64) & 4095
    flat = table.ravel()
    upper = flat[top + left]
    upper += s * (flat[top + right] - upper)
    lower = flat[bottom + left]
    lower += s * (flat[bottom + right] - lower)
    noise: Field = upper + t * (lower - upper)
    return noise


def cells(rng: np.random.Generator, u: Field, v: Field) -> tuple[Field, Field]:
    """Cellular noise with one jittered point per unit square; repeats after 64 squares.

    Returns the difference of the distances to the second and the first nearest point (zero on the cells' borders), and
    a value in [0, 1) that is constant within each cell. Source: S. Worley, "A Cellular Texture Basis Function" (1996).
    """
    jitter_u, jitter_v, value = rng.random((3, 4096))
    column, row = np.floor(u), np.floor(v)
    s, t = u - column, v - row
    left, top = column.astype(np.int64), row.astype(np.int64)
    first, second = np.full(u.shape, 9.0), np.full(u.shape, 9.0)
    nearest = np.zeros(u.shape, dtype=np.int64)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            place = ((left + right) & 63) + ((top + down) & 63) * 64
            square = (right + jitter_u[place] - s) ** 2 + (down + jitter_v[place] - t) ** 2
            nearer = square < first
            np.minimum(second, np.where(nearer, first, square), out=second)
            np.minimum(first, square, out=first)
            nearest[nearer] = place[nearer]
    return np.sqrt(second) - np.sqrt(first), value[nearest]


def clipped(values: Field) -> Field:
    """Values limited to [0, 1]."""
    return np.minimum(np.maximum(values, 0.0), 1.0)


def jitter(rng: np.random.Generator, colour: Sequence[float], amount: float = 0.02) -> tuple[float, float, float]:
    """The colour, a little lighter or darker and a little off in hue."""
    level = 1 + rng.normal(0, amount * 2)
    red, green, blue = (float(np.clip(value * level + rng.normal(0, amount), 0, 1)) for value in colour)
    return red, green, blue
