"""Procedural textures: pictures of anything but the product, where no folder of foreign pictures is given.

A texture is a scalar field coloured by a random palette; half of them are two such layers, mixed by a third field.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pybench.ops.perlin_noise import perlin_noise

Field = NDArray[np.float32]

_FINEST = 6  # pixels of the shortest period: finer structure would be lost when a network halves the picture
_LEVELS = 256  # of a palette


def procedural_texture(size: int, random: np.random.Generator) -> Tensor:
    """A texture of a random family, scale, direction and palette, float32 [3, size, size] in [0, 1]."""
    texture = _layer(size, random)
    if random.random() < 0.5:
        share = _clouds(size, random)
        texture = texture + share * (_layer(size, random) - texture)
    texture += np.float32(random.uniform(0, 0.08)) * random.standard_normal((size, size), np.float32)
    return torch.from_numpy(texture.clip(0, 1))


def noise_seed(random: np.random.Generator) -> int:
    """A seed for ``perlin_noise``, drawn from the generator."""
    return int(random.integers(2**63))


def _layer(size: int, random: np.random.Generator) -> Field:
    """One field in the colours of a palette, [3, size, size]."""
    field = _FAMILIES[random.integers(len(_FAMILIES))](size, random)
    levels = (field * (_LEVELS - 1)).astype(np.intp)
    texture: Field = np.take(_palette(random), levels, axis=1)
    return texture


def _palette(random: np.random.Generator) -> Field:
    """Colours [3, levels] that run through two to five random ones."""
    stops = random.integers(2, 6)
    colours = random.random((3, stops))
    places = np.linspace(0, stops - 1, _LEVELS)
    return np.stack([np.interp(places, np.arange(stops), channel) for channel in colours]).astype(np.float32)


def _plane(size: int, random: np.random.Generator) -> tuple[Field, Field]:
    """Coordinates [size, size] in a random direction and at a random scale, bent a little; 1 is one period."""
    periods = _periods(size, random)
    angle = random.uniform(0, np.pi)
    place = np.arange(size, dtype=np.float32) * np.float32(periods / size)
    down, right = place[:, None], place[None, :]
    along = right * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
    across = down * np.float32(np.cos(angle)) - right * np.float32(np.sin(angle))
    bend = np.float32(random.uniform(0, 0.7))
    return along + bend * _noise(size, 3, random), across * np.float32(random.uniform(0.5, 1))


def _periods(size: int, random: np.random.Generator) -> float:
    """Periods across the picture, from one to as many as are still seen, evenly on a logarithmic scale."""
    return float(np.exp(random.uniform(0, np.log(max(2, size / _FINEST)))))


def _noise(size: int, cells: int, random: np.random.Generator) -> Field:
    noise: Field = perlin_noise(size, size, (cells, cells), seed=noise_seed(random)).numpy()
    return noise


def _stretched(field: Field) -> Field:
    """Shifted and scaled to fill [0, 1]."""
    low, high = field.min(), field.max()
    stretched: Field = (field - low) / max(high - low, np.float32(1e-6))
    return stretched


def _clouds(size: int, random: np.random.Generator) -> Field:
    """Noise of several scales; the finer, the fainter, by a random factor."""
    faintness, cells, weight = random.uniform(0.4, 1), round(min(8.0, _periods(size, random))), 1.0
    field = np.zeros((size, size), np.float32)
    while cells <= size // _FINEST:
        field += np.float32(weight) * _noise(size, cells, random)
        cells, weight = 2 * cells, weight * faintness
    return _stretched(field)


def _blots(size: int, random: np.random.Generator) -> Field:
    """Clouds with hard edges, in a few steps."""
    steps = random.integers(2, 5)
    return (_clouds(size, random) * np.float32(steps - 1)).round() / np.float32(steps - 1)


def _wave(place: Field) -> Field:
    """In [0, 1], with period 1."""
    wave: Field = np.float32(0.5) + np.float32(0.5) * np.sin(np.float32(2 * np.pi) * place)
    return wave


def _waves(size: int, random: np.random.Generator) -> Field:
    along, _ = _plane(size, random)
    return _wave(along)


def _stripes(size: int, random: np.random.Generator) -> Field:
    along, _ = _plane(size, random)
    return np.asarray(along % 1 < random.uniform(0.2, 0.8), np.float32)


def _checks(size: int, random: np.random.Generator) -> Field:
    along, across = _plane(size, random)
    checks: Field = (np.floor(along) + np.floor(across)) % 2
    return checks


def _weave(size: int, random: np.random.Generator) -> Field:
    along, across = _plane(size, random)
    return np.float32(0.5) * (_wave(along) + _wave(across))


def _gradient(size: int, random: np.random.Generator) -> Field:
    along, across = _plane(size, random)
    return _stretched(along if random.random() < 0.5 else np.hypot(along - along.mean(), across - across.mean()))


def _cells(size: int, random: np.random.Generator) -> Field:
    """Distance to the nearest of random points, or that point's own level."""
    place = np.arange(size, dtype=np.float32) / np.float32(size)
    nearest = np.full((size, size), np.inf, np.float32)
    level = np.zeros((size, size), np.float32)
    for y, x in random.random((random.integers(5, 25), 2), np.float32):
        distance = (place[:, None] - y) ** 2 + (place[None, :] - x) ** 2
        closer = distance < nearest
        nearest = np.minimum(nearest, distance)
        level[closer] = random.random()
    return _stretched(np.sqrt(nearest)) if random.random() < 0.5 else level


_FAMILIES: tuple[Callable[[int, np.random.Generator], Field], ...] = (
    _clouds,
    _blots,
    _waves,
    _stripes,
    _checks,
    _weave,
    _gradient,
    _cells,
)
