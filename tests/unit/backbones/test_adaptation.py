"""How the backbone ``adapted`` is trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pybench.backbones.adaptation import Matching, adapt
from pybench.backbones.adapted_network import LAYERS, AdaptedNetwork
from pybench.backbones.filter_bank import CHANNELS, FilterBank
from pybench.training.batches import Batch
from pybench.training.budget import Budget
from pybench.training.learning_rate import RATES
from pybench.types import Context
from tests.conformance.checks import Pictures
from tests.unit.backbones.striped import GEOMETRY, SIZE, stripes


def matching() -> Matching:
    torch.manual_seed(0)
    bank = FilterBank(LAYERS, device="cpu")
    bank.fit(Pictures(stripes()), GEOMETRY)
    return Matching(AdaptedNetwork(CHANNELS), bank)


def batch(references: Tensor, anomalous: Tensor, masks: Tensor, indices: tuple[int, ...]) -> Batch:
    return Batch(torch.empty(0), np.random.default_rng(0), 0.0, indices, (references, anomalous, masks))


def test_a_place_is_never_matched_with_its_own_image() -> None:
    """The image itself is among the references: taken for another's, every place has a match at no distance."""
    subject = matching()
    images, nothing = stripes(2), torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    as_another = batch(images[:1], images[:1], nothing, (0, 1))
    subject.start(as_another)
    references = subject.references[0]
    places, _, _ = next(subject._places(as_another))
    assert float(references(places, torch.full((len(places),), 1)).detach().max()) < float(torch.tensor(2e-4).log())
    subject._refer(batch(images[1:], images[:1], nothing, (1, 0)))
    own = references(places, torch.full((len(places),), 0))
    other = torch.cdist(places, references.places[-1]).amin(1).square() / places.shape[1]
    torch.testing.assert_close(own, (other + 1e-4).log(), atol=1e-2, rtol=1e-3)


def test_training_tells_anomalous_places_from_normal_ones() -> None:
    bank = matching()._bank
    torch.manual_seed(0)
    log, rate = adapt(
        AdaptedNetwork(CHANNELS),
        bank,
        (stripes(12, size=64) * 255).byte(),
        budget=Budget(steps=60),
        context=Context(),
    )
    assert rate in RATES
    assert sum(log.losses[-10:]) < 0.95 * sum(log.losses[:10])
