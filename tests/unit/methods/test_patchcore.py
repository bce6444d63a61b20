"""PatchCore against an independent computation."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pybench import registry
from pybench.types import Context, Method
from tests.conformance.checks import plant

PLANT = plant()
SETTINGS = {"backbone": "resnet18", "weights": "random", "image_size": 64}


def method(name: str, **params: Any) -> Any:
    cls: type[Method] = registry.load("method", name)
    return cls(cls.Params(**{**SETTINGS, **params}), Context())


def fitted(name: str, **params: Any) -> Any:
    made = method(name, **params)
    made.fit(PLANT.train)
    return made


def test_patchcore_is_the_nearest_neighbour_in_its_bank() -> None:
    made = fitted("patchcore", crop_size=None, coreset_share=0.2, neighbours=1, sigma=0)
    patches = made._patches(PLANT.test).flatten(1, 2).double()
    distances = torch.cdist(patches, made.bank.double()).amin(2)
    torch.testing.assert_close(made.predict(PLANT.test).scores.double(), distances.amax(1), rtol=1e-3, atol=1e-3)
    assert len(made.bank) == round(0.2 * len(PLANT.train) * 64)


def test_patchcore_reweights_by_the_neighbours_of_the_nearest_patch() -> None:
    made = fitted("patchcore", crop_size=None, coreset_share=0.2, neighbours=3, sigma=0)
    image = PLANT.test[:1]
    patches = made._patches(image).flatten(0, 2).double()
    bank = made.bank.double()
    distances = torch.cdist(patches, bank)
    worst = distances.amin(1).argmax()
    nearest = distances[worst].argmin()
    neighbours = torch.cdist(bank[nearest][None], bank)[0].argsort()[:3]
    to_neighbours = torch.linalg.vector_norm(patches[worst] - bank[neighbours], dim=1)
    weight = 1 - torch.exp(distances[worst, nearest]) / torch.exp(to_neighbours).sum()
    expected = float(weight * distances[worst, nearest])
    assert float(made.predict(image).scores) == pytest.approx(expected, rel=1e-3)
