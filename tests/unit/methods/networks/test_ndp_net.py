"""What the two phases of NDP-Net's training minimise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pybench.methods.networks.ndp_net import NdpNetwork, Objective
from pybench.training.batches import Batch
from pybench.training.textures import Textures
from tests.unit.methods.ndp_net_parts import PLANT


def objective(network: NdpNetwork, *, defect_perception: bool = True) -> Objective:
    return Objective(network, Textures(None, 64), None, defect_perception)


def batch(images: Tensor) -> Batch:
    return Batch(images, np.random.default_rng(0), 0.0)


def test_the_terms_of_both_phases_follow_the_switches() -> None:
    def terms(*, attention: bool = True, segmentation: bool = True, defect_perception: bool = True) -> list[set[str]]:
        network = NdpNetwork(2, attention=attention, segmentation=segmentation).eval()
        network.refer_to(PLANT.train.stack[0])
        losses = objective(network, defect_perception=defect_perception)
        images = PLANT.train.stack[:2]
        return [set(losses.first_phase(batch(images))), set(losses.second_phase(batch(images)))]

    full = [{"reconstruction", "defect_perception"}, {"reconstruction", "feature_repair", "segmentation"}]
    assert terms() == full
    assert terms(attention=False) == [full[0], full[1] - {"feature_repair"}]
    assert terms(segmentation=False) == [full[0], full[1] - {"segmentation"}]
    assert terms(defect_perception=False) == [full[0] - {"defect_perception"}, full[1]]


def test_the_first_phase_decodes_normal_images_only() -> None:
    seen: list[int] = []
    network = NdpNetwork(2, attention=True, segmentation=True)
    network.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0][0])))
    objective(network).first_phase(batch(PLANT.train.stack[:3]))
    assert seen == [3]


def test_reconstruction_has_a_hundred_times_the_weight() -> None:
    network, images = NdpNetwork(2, attention=False, segmentation=False).eval(), PLANT.train.stack[:2]
    found = objective(network, defect_perception=False).first_phase(batch(images))["reconstruction"]
    reconstructed = network.decoder(network.encoder(images)[2:])
    torch.testing.assert_close(found, 100 * (reconstructed - images).square().mean())


def test_features_of_normal_images_are_made_once_and_are_those_of_the_encoder() -> None:
    torch.manual_seed(0)
    network, images = NdpNetwork(2, attention=True, segmentation=False).eval(), PLANT.train.stack[:3]
    network.refer_to(images[0])
    normal = objective(network).normal
    expected = network.features(images)[2:]
    for chosen in ((2, 0), (0, 1), (1, 2)):
        chosen_images = images[list(chosen)]
        if chosen == (1, 2):
            chosen_images = torch.zeros_like(chosen_images)  # both are known by now
        found = normal.of(Batch(chosen_images, np.random.default_rng(0), 0.0, indices=chosen))
        for layer, whole in zip(found, expected, strict=True):
            torch.testing.assert_close(layer, whole[list(chosen)], rtol=1e-4, atol=1e-6)
