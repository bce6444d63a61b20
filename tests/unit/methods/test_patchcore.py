"""PatchCore against an independent computation."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from pybench.methods.patchcore import PatchCoreParams
from tests.unit.methods.backbone_parts import PLANT, fitted


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


def test_an_even_patch_has_no_centre_and_is_refused() -> None:
    with pytest.raises(ValidationError, match="patch_size must be odd, got 4"):
        PatchCoreParams(patch_size=4)
