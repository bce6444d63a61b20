"""The networks and losses of NDP-Net against hand-made values and independent computations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn.functional import conv2d

from pybench.images.score_maps import mean_filter, median_filter
from pybench.methods.networks.ndp_net import NdpNetwork
from pybench.methods.networks.ndp_net_attention import FeatureFusion, ReferenceAttention, feature_repair_loss, repair
from pybench.methods.networks.ndp_net_autoencoder import (
    Decoder,
    Encoder,
    defect_perception_loss,
    feature_gap,
    resized_mask,
)
from pybench.methods.networks.ndp_net_segmentation import DefectSegmentation, combine, pixel_gap, segmentation_loss


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- encoder and decoder ------------------------------------------------------------------------------------------


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


# --- attention ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch", [2, 4])
def test_repair_is_a_softmax_sum_over_the_patches_of_the_reference(patch: int) -> None:
    features, reference = values(2, 3, 8, 8, seed=1) - 0.5, values(3, 8, 8, seed=2) - 0.5
    corners = [(row, column) for row in range(0, 8, patch) for column in range(0, 8, patch)]

    def cut(layer: np.ndarray[Any, Any], corner: tuple[int, int]) -> np.ndarray[Any, Any]:
        return layer[:, corner[0] : corner[0] + patch, corner[1] : corner[1] + patch]

    expected = np.zeros(features.shape)
    references = [cut(reference.double().numpy(), corner) for corner in corners]
    for image, layer in enumerate(features.double().numpy()):
        for corner in corners:
            own = cut(layer, corner)
            cosines = [np.sum(own * other) / np.linalg.norm(own) / np.linalg.norm(other) for other in references]
            total = sum(np.exp(cosine) for cosine in cosines)
            repaired = sum(np.exp(c) / total * other for c, other in zip(cosines, references, strict=True))
            cut(expected[image], corner)[:] = repaired
    np.testing.assert_allclose(repair(features, reference, patch).numpy(), expected, atol=1e-6)


def test_repair_gives_a_reference_of_equal_patches_back() -> None:
    """Whatever the weights are, they sum to 1, and patches return to where they were cut."""
    reference = values(3, 4, 4).repeat(1, 2, 2)
    repaired = repair(values(2, 3, 8, 8, seed=1), reference, 4)
    torch.testing.assert_close(repaired, reference.expand(2, -1, -1, -1))


def test_repair_does_not_depend_on_the_strength_of_the_features() -> None:
    features, reference = values(1, 3, 8, 8, seed=1), values(3, 8, 8, seed=2)
    torch.testing.assert_close(repair(5 * features, reference, 2), repair(features, reference, 2))


def test_fusion_weights_sum_to_one_and_choose_between_the_maps() -> None:
    torch.manual_seed(0)
    fusion, maps = FeatureFusion(4, 64), [values(2, 4, 8, 8, seed=seed) for seed in range(3)]
    weights = fusion.weights(maps)
    torch.testing.assert_close(weights.sum(0), torch.ones(2, 4, 8, 8))
    assert weights.std(0).max() > 0.01
    fused = fusion(maps)
    torch.testing.assert_close(fused, sum(weight * each for weight, each in zip(weights, maps, strict=True)))
    assert (fused <= torch.stack(maps).amax(0) + 1e-6).all()
    assert (fused >= torch.stack(maps).amin(0) - 1e-6).all()


def test_fusion_weights_against_the_convolutions_and_a_softmax_by_hand() -> None:
    torch.manual_seed(0)
    fusion, maps = FeatureFusion(2, 64), [values(1, 2, 4, 4, seed=seed) for seed in range(3)]
    compressed = conv2d(sum(maps), fusion.compress.weight, fusion.compress.bias, padding=2).clamp(min=0)  # type: ignore[arg-type]
    convolutions = [module for module in fusion.attend if isinstance(module, nn.Conv2d)]
    raised = [conv2d(compressed, each.weight, each.bias, padding=2).exp() for each in convolutions]
    torch.testing.assert_close(fusion.weights(maps), torch.stack([each / sum(raised) for each in raised]))
    assert compressed.shape[1] == 64


def test_attention_fuses_both_patch_sizes_with_the_features() -> None:
    """Where all three attention maps are equal, the result is the mean of the three."""
    attention = ReferenceAttention([3], 64)
    for convolution in attention.fusions[0].attend:  # type: ignore[union-attr]
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    features, reference = values(2, 3, 8, 8, seed=1), values(3, 8, 8, seed=2)
    expected = (repair(features, reference, 4) + repair(features, reference, 2) + features) / 3
    torch.testing.assert_close(attention([features], [reference])[0], expected)


def test_feature_repair_by_hand() -> None:
    """Three layers, off by 1, 2 and 3 everywhere; the factor is 1 / (5 - 3)."""
    normal = [torch.zeros(1, 2, size, size) for size in (4, 2, 1)]
    repaired = [layer + off for layer, off in zip(normal, (1, 2, 3), strict=True)]
    torch.testing.assert_close(feature_repair_loss(repaired, normal), torch.tensor((1 + 4 + 9) / 2.0))


# --- segmentation -------------------------------------------------------------------------------------------------


def test_segmentation_has_a_map_per_scale() -> None:
    features = [values(2, channels, side, side) for channels, side in ((4, 16), (8, 8), (16, 4))]
    logits = DefectSegmentation(4)(features, features)
    assert [tuple(scale.shape) for scale in logits] == [(2, 16, 16), (2, 8, 8), (2, 4, 4)]


def test_segmentation_starts_out_from_one_pixel_in_ten() -> None:
    """Of features that are 0, an untrained sub-network passes on its bias only."""
    features = [torch.zeros(1, channels, 8, 8) for channels in (4, 8, 16)]
    for logits in DefectSegmentation(4).eval()(features, features):
        torch.testing.assert_close(logits.sigmoid(), torch.full((1, 8, 8), 0.1))


def test_segmentation_loss_by_hand() -> None:
    """At logit 0, p is 0.5: alpha_t (1 - p)^2 log 2 with alpha_t 0.25 on defects and 0.75 elsewhere."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, :2] = True
    loss = segmentation_loss([torch.zeros(1, side, side) for side in (4, 2, 2)], mask)
    assert float(loss) == pytest.approx((0.25 + 0.75) / 2 * 0.25 * np.log(2))


def test_maps_are_combined_with_the_weights_of_the_paper() -> None:
    maps = [torch.full((1, side, side), value) for side, value in ((8, 1.0), (4, 10.0), (2, 100.0))]
    torch.testing.assert_close(combine(maps, 8), torch.full((1, 8, 8), 0.2 + 2 + 60))


def test_pixel_gap_by_hand() -> None:
    images = torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1)
    reconstructions = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    torch.testing.assert_close(pixel_gap(images, reconstructions), torch.tensor([[[0.7 / 3]]]))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(mean_filter, ndimage.uniform_filter), (median_filter, ndimage.median_filter)]
)
def test_filters_against_scipy(ours: Callable[[Tensor, int], Tensor], theirs: Callable[..., Any]) -> None:
    maps = values(2, 9, 12)
    expected = np.stack([theirs(each.numpy(), 5, mode="nearest") for each in maps])
    np.testing.assert_allclose(ours(maps, 5).numpy(), expected, atol=1e-6)
