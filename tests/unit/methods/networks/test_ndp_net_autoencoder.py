"""Encoder, decoder and defect-perception loss of NDP-Net against hand-made values and independent computations."""

from __future__ import annotations

import torch
from torch import Tensor

from pybench.methods.networks.ndp_net import NdpNetwork
from pybench.methods.networks.ndp_net_autoencoder import (
    Decoder,
    Encoder,
    defect_perception_loss,
    feature_gap,
    resized_mask,
)


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_the_encoder_has_five_layers_and_the_decoder_undoes_three_of_them() -> None:
    features = Encoder(4)(values(2, 3, 64, 64))
    assert [tuple(layer.shape) for layer in features] == [
        (2, 4, 64, 64),
        (2, 8, 32, 32),
        (2, 16, 16, 16),
        (2, 32, 8, 8),
        (2, 32, 4, 4),
    ]
    image = Decoder(4)(features[2:])
    assert image.shape == (2, 3, 64, 64)
    assert 0 <= image.min() <= image.max() <= 1


def test_a_shallow_pass_gives_the_first_layers() -> None:
    network, images = NdpNetwork(2, attention=True, segmentation=True).eval(), values(1, 3, 64, 64)
    for shallow, layer in zip(network.shallow(images), network.encoder(images)[:3], strict=True):
        torch.testing.assert_close(shallow, layer)


def test_the_frozen_encoder_gives_the_same_features_and_gradients() -> None:
    torch.manual_seed(0)
    encoder, images = Encoder(4), values(2, 3, 64, 64)
    encoder(values(4, 3, 64, 64, seed=1))  # batch norms that have seen something
    encoder.eval()
    frozen = encoder.frozen()
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in frozen.modules())
    gradients = []
    for each in (encoder, frozen):
        given = images.clone().requires_grad_()
        features = each(given)
        torch.stack([layer.square().mean() for layer in features]).sum().backward()
        gradients.append(given.grad)
    for found, expected in zip(frozen(images), encoder(images), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-8)


def test_defect_perception_by_hand() -> None:
    """Two channels, one layer of 2x2: gaps 0, 1, 4 and 5 are brought to 0, 0.2, 0.8 and 1."""
    normal = torch.zeros(1, 2, 2, 2)
    changed = torch.tensor([[[[0.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [2.0, 3.0]]]])
    torch.testing.assert_close(feature_gap(normal, changed), torch.tensor([[[0.0, 1.0], [4.0, 5.0]]]))
    mask = torch.tensor([[[False, False], [True, True]]])
    expected = (0.0 + 0.2**2 + 0.2**2 + 0.0) / 4
    torch.testing.assert_close(defect_perception_loss([normal], [changed], mask), torch.tensor(expected))


def test_defect_perception_is_a_mean_over_layers_with_the_mask_resized() -> None:
    """The first layer answers with the mask itself, the second, of half the side, with its opposite."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, 2:, 2:] = True
    fine, coarse = mask[:, None].float(), 1 - resized_mask(mask, 2)[:, None]
    loss = defect_perception_loss([torch.zeros_like(fine), torch.zeros_like(coarse)], [3 * fine, 7 * coarse], mask)
    torch.testing.assert_close(loss, torch.tensor(0.5))


def test_defect_perception_of_equal_features_is_finite() -> None:
    layer = values(1, 2, 4, 4).requires_grad_()
    loss = defect_perception_loss([layer], [layer * 1], torch.zeros(1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert layer.grad is not None
    assert torch.isfinite(layer.grad).all()
