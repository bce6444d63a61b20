"""The reference-based attention of NDP-Net against hand-made values and independent computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from pybench.methods.networks.ndp_net_attention import FeatureFusion, ReferenceAttention, feature_repair_loss, repair


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


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
