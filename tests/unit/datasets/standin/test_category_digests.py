"""The stand-in's bytes, kept: a change of any of them calls for a new ``GENERATOR_VERSION``."""

from __future__ import annotations

import hashlib

import pytest

from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.category import render
from pybench.datasets.standin.generate import GENERATOR_VERSION

# Image and mask number 1 of each category's first defect type, 64 pixels, seed 0.
DIGESTS = {
    "bottle": "6feb0c14caa23b85",
    "cable": "fd1307c9a783af39",
    "capsule": "5b3cc3cc9e11d9e8",
    "carpet": "28352a98b91ebfc5",
    "grid": "2db9818d4dcb6dae",
    "hazelnut": "105854ddc842bbc8",
    "leather": "cc7b4d5224790008",
    "metal_nut": "d36e8c150616bd50",
    "pill": "25eb3f1ea1699353",
    "screw": "469a6bc2cc81c77c",
    "tile": "8ca84e9c54d6e78d",
    "toothbrush": "bec424ff71c4aa38",
    "transistor": "9eca0ee907be2bd6",
    "wood": "af1457d9f5e2c14f",
    "zipper": "8a7ad41ddd541322",
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_bytes_are_those_of_this_generator_version(name: str) -> None:
    kind = next(iter(CATEGORIES[name].defects))
    rendering = render(CATEGORIES[name], f"test/{kind}", 1, 64, seed=0)
    digest = hashlib.sha256(rendering.picture.tobytes() + rendering.mask.tobytes()).hexdigest()[:16]
    assert (GENERATOR_VERSION, digest) == (1, DIGESTS[name])
