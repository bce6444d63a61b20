"""k_center on the patches of 200 images, as PatchCore selects its memory bank."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pybench.backbones.pretrained import Pretrained
from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.category import take
from pybench.ops.k_center import k_center

IMAGES = 200
SHARE = 0.1
PEER_SELECTIONS = 100  # of 20,480: a selection costs the peer's loop the same from the first to the last


def patches() -> Tensor:
    """[204800, 152]: layers 2 and 3 of EfficientNet-Lite0 over drawn bottles, pooled 3 x 3, at 32 x 32 places."""
    backbone = Pretrained("timm/tf_efficientnet_lite0", "imagenet", (2, 3), seed=0, device="cpu")
    kept = []
    for index in range(IMAGES):
        picture = take(CATEGORIES["bottle"], "train/good", index, 256, 0).actual
        image = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
        second, third = (functional.avg_pool2d(layer, 3, stride=1, padding=1) for layer in backbone(image))
        third = functional.interpolate(third, size=second.shape[-2:], mode="bilinear", align_corners=False)
        kept.append(torch.cat([second, third], 1).permute(0, 2, 3, 1).flatten(0, 2))
    return torch.cat(kept)


def peer(points: Tensor, k: int) -> Tensor:
    """The loop of the field's best-known library: distances of all points to the newest centre, minimum, arg-max."""
    nearest = torch.full((len(points), 1), torch.inf)
    chosen = torch.zeros(k, dtype=torch.int64)
    newest = 0
    for position in range(k):
        distances = functional.pairwise_distance(points, points[newest : newest + 1], p=2).reshape(-1, 1)
        nearest = torch.minimum(nearest, distances)
        newest = int(nearest.argmax())
        chosen[position] = newest
        nearest[newest] = 0
    return chosen


def test_200_images(compare: Callable[..., None]) -> None:
    points = patches()
    k = round(SHARE * len(points))
    compare(
        op="k_center",
        case=f"{len(points)} x {points.shape[1]} to {k}",
        ours=lambda: k_center(points, k, seed=0),
        baselines={"torch, one pass a selection": lambda: peer(points, PEER_SELECTIONS)},
        share=PEER_SELECTIONS / k,
        once=True,
    )
