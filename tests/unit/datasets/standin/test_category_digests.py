"""The stand-in's bytes, kept: a change of any of them calls for a new ``GENERATOR_VERSION``."""

from __future__ import annotations

import hashlib

import pytest

from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.category import render
from pybench.datasets.standin.generate import GENERATOR_VERSION

# Image and mask number 1 of each category's first defect type, 64 pixels, seed 0.
DIGESTS = {
    "bottle": "95e57e666d2c7ce9",
    "cable": "fd1307c9a783af39",
    "capsule": "7ed94f0466cc11f6",
    "carpet": "b2b2185065c3d961",
    "grid": "2db9818d4dcb6dae",
    "hazelnut": "5bdd5c30b7a2f6c9",
    "leather": "6af8179561c54d5d",
    "metal_nut": "d36e8c150616bd50",
    "pill": "3451d5dfd2a4c2b5",
    "screw": "469a6bc2cc81c77c",
    "tile": "b42664c93e71f31e",
    "toothbrush": "bec424ff71c4aa38",
    "transistor": "9eca0ee907be2bd6",
    "wood": "980d85ded4f75ee7",
    "zipper": "8a7ad41ddd541322",
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_bytes_are_those_of_this_generator_version(name: str) -> None:
    kind = next(iter(CATEGORIES[name].defects))
    rendering = render(CATEGORIES[name], f"test/{kind}", 1, 64, seed=0)
    digest = hashlib.sha256(rendering.picture.tobytes() + rendering.mask.tobytes()).hexdigest()[:16]
    assert (GENERATOR_VERSION, digest) == (2, DIGESTS[name])
