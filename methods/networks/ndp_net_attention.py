"""Reference-based attention of NDP-Net (Sec. III-C): features rebuilt from those of a normal image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, mse_loss, normalize, unfold

PATCHES = (4, 2)  # sides K of the patches that are matched
_KERNEL = 5  # m; the paper wants it larger than the largest K


def repair(features: Tensor, reference: Tensor, patch: int) -> Tensor:
    """RBFRM, Eq. 3 to 5: each patch becomes a mean of the reference's patches, weighted by softmax of the cosine.

    Patches do not overlap. The softmax has no temperature, as Eq. 4 prints it: weights differ by a factor of e^2 at
    most.

    Args:
        features: [B, C, H, W]; H and W are multiples of ``patch``.
        reference: of one normal image, [C, H, W].
        patch: side K of a patch.

    Returns:
        [B, C, H, W].
    """
    patches = unfold(features, patch, stride=patch)
    references = unfold(reference[None], patch, stride=patch)[0]
    similarity = normalize(patches, dim=1).transpose(1, 2) @ normalize(references, dim=0)
    weights = similarity.softmax(2).to(references.dtype)
    return fold(references @ weights.transpose(1, 2), features.shape[-2:], patch, stride=patch)


class FeatureFusion(nn.Module):
    """FFM, Eq. 6 to 8: at every element, a convex combination of three feature maps that the module chooses itself.

    A ReLU follows the compression, as in the selective kernels (SKNet) that the paper names as its source.

    Args:
        channels: of the feature maps.
        compressed: channels from which the three attention maps are made.
    """

    def __init__(self, channels: int, compressed: int) -> None:
        super().__init__()
        self.compress = nn.Conv2d(channels, compressed, _KERNEL, padding=_KERNEL // 2)
        self.attend = nn.ModuleList(nn.Conv2d(compressed, channels, _KERNEL, padding=_KERNEL // 2) for _ in range(3))

    def weights(self, maps: Sequence[Tensor]) -> Tensor:
        """Eq. 6 and 7: weights [3, B, C, H, W] that sum to 1 over the three maps [B, C, H, W]."""
        return self._weights(_side_by_side(maps)).permute(3, 0, 4, 1, 2)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Eq. 8: [B, C, H, W] of three maps of that shape, channels last in memory."""
        stacked = _side_by_side(maps)
        return (self._weights(stacked) * stacked).sum(3).permute(0, 3, 1, 2)

    def _weights(self, stacked: Tensor) -> Tensor:
        """The weights [B, H, W, 3, C] of maps in that order. The three convolutions go as one: they see the same."""
        compressed = self.compress(stacked.sum(3).permute(0, 3, 1, 2)).relu()
        kernels, biases = (torch.cat([getattr(each, name) for each in self.attend]) for name in ("weight", "bias"))
        attention: Tensor = conv2d(compressed, kernels, biases, padding=_KERNEL // 2)
        weights: Tensor = attention.permute(0, 2, 3, 1).unflatten(3, (3, -1)).softmax(3)
        return weights


def _side_by_side(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, C, H, W] as [B, H, W, 3, C]: the layout channels last, which the convolutions before and after have."""
    return torch.stack([layer.permute(0, 2, 3, 1) for layer in maps], 3)


class ReferenceAttention(nn.Module):
    """RBAM on several layers: repairs with patches of 4 and of 2, fused with the features as they came."""

    def __init__(self, channels: Sequence[int], compressed: int) -> None:
        super().__init__()
        self.fusions = nn.ModuleList(FeatureFusion(number, compressed) for number in channels)

    def forward(self, features: Sequence[Tensor], reference: Sequence[Tensor]) -> list[Tensor]:
        """Repaired features [B, C_l, H_l, W_l] per layer; ``reference`` holds [C_l, H_l, W_l] of the normal image."""
        return [
            fusion([*(repair(layer, normal, patch) for patch in PATCHES), layer])
            for fusion, layer, normal in zip(self.fusions, features, reference, strict=True)
        ]


def feature_repair_loss(repaired: Sequence[Tensor], normal: Sequence[Tensor]) -> Tensor:
    """Eq. 9: squared distance of the repaired features to those before the damage, [B, C_l, H_l, W_l] per layer.

    The factor is 1 / (l2 - l1) as printed, one less than the layers that are summed; norms are means over elements.
    """
    terms = [mse_loss(layer, target) for layer, target in zip(repaired, normal, strict=True)]
    return torch.stack(terms).sum() / (len(terms) - 1)
