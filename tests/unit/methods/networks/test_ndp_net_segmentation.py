"""The defect segmentation of NDP-Net against hand-made values and independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench.methods.networks.ndp_net_segmentation import DefectSegmentation, combine, pixel_gap, segmentation_loss


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


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
