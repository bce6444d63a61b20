"""Networks of ``local_occ``: the image matching module, the mapping network and their losses.

A *transform* is float [B, 3]: Tx and Ty, the shift of a picture's content to the right and down in pixels, and theta,
its rotation counter-clockwise about the picture's centre in degrees. The content is rotated first, then shifted.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cosine_similarity, grid_sample

CHANNELS = 100  # of F_M and F_C (Fig. 6)
DELTA = 0.1  # of Eq. 5 (Sec. 2.3)
SHIFT, TURN = 0.25, 60.0  # the most that is matched: share of the side, degrees; each way
Fill = Literal["border", "reflection", "zeros"]


class Matching(nn.Module):
    """The image matching module (Sec. 2.1, Fig. 4, Eq. 1): N_P on template and input alike, N_R on both results.

    The paper gives neither layers nor widths. Here N_P has three strided convolutions; N_R has one more and a linear
    layer, which starts at zero, so that an untrained module leaves every image where it is. Transforms are bounded,
    because Eq. 2 is also low where an object that is hard to align has been moved out of the picture.

    Args:
        size: S, side of the images.
    """

    template: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("template", torch.zeros(3, size, size))  # I_T in [0, 1]
        self.extractor = nn.Sequential(
            nn.InstanceNorm2d(3),  # the light differs from picture to picture
            nn.Conv2d(3, 16, 7, stride=4, padding=3),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        last = nn.Linear(64 * 4 * 4, 3)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.regression = nn.Sequential(
            nn.Conv2d(2 * 64, 64, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), last
        )

    def forward(self, images: Tensor) -> Tensor:
        """The transforms [B, 3] that bring images [B, 3, S, S] in [0, 1] onto the template."""
        features = self.extractor(images)  # F_D
        wanted = self.extractor(self.template[None]).expand_as(features)  # F_T
        shift = SHIFT * images.shape[-1]
        limits = torch.tensor([shift, shift, TURN], device=images.device)
        transform: Tensor = self.regression(torch.cat([wanted, features], 1)).tanh() * limits
        return transform


class Mapping(nn.Sequential):
    """The mapping network N_M (Sec. 2.2, Fig. 6): F_mixed [B, C, h, w] to F_M [B, min(100, C), h, w].

    The paper gives its two ends only. Here channels are standardised, because a backbone's layers differ in scale, then
    every position is mapped by itself: stages 1 to 3 have seen its surroundings already. Without biases, with which
    the same feature for everything would be within easy reach (Ruff et al., Deep One-Class Classification, 2018).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.BatchNorm2d(channels, affine=False),
            nn.Conv2d(channels, 2 * CHANNELS, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(2 * CHANNELS, min(CHANNELS, channels), 1, bias=False),
        )


def warp(images: Tensor, transform: Tensor, fill: Fill) -> Tensor:
    """f_geo of Eq. 1, a spatial transformer: the content of images [B, C, S, S] moved by transforms [B, 3], bilinearly.

    It has gradients for both. ``fill`` says what comes in from beyond the picture.
    """
    with torch.autocast(images.device.type, enabled=False):  # half precision would misplace pixels
        turn, shift = _normalised(transform, images.shape[-1])
        back = turn.transpose(1, 2)
        return _sample(images, torch.cat([back, -back @ shift], 2), fill)


def warp_back(maps: Tensor, transform: Tensor) -> Tensor:
    """Undo ``warp`` on maps [B, S, S]; what it had pushed out of the picture gets the map's minimum."""
    least = maps.amin((1, 2), keepdim=True)
    turn, shift = _normalised(transform, maps.shape[-1])
    return _sample((maps - least)[:, None], torch.cat([turn, shift], 2), "zeros")[:, 0] + least


def _normalised(transform: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Rotation [B, 2, 2] and shift [B, 2, 1] of points (x, y) in units of half a picture, y pointing down."""
    x, y, angle = transform.float().unbind(1)
    cosine, sine = angle.deg2rad().cos(), angle.deg2rad().sin()
    turn = torch.stack([cosine, sine, -sine, cosine], 1).view(-1, 2, 2)
    return turn, torch.stack([x, y], 1)[:, :, None] * 2 / size


def _sample(images: Tensor, points: Tensor, fill: Fill) -> Tensor:
    """Images [B, C, S, S] at the points to which affine maps [B, 2, 3] take the pixels of the result."""
    grid = affine_grid(points, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode=fill, align_corners=False)


def distance(features: Tensor, centre: Tensor) -> Tensor:
    """Eq. 4, one minus the cosine: [B, h, w] in [0, 2].

    Args:
        features: F_M, [B, C, h, w].
        centre: F_C, [C, h, w]; or [C, 1, 1], one vector for all positions.
    """
    distances: Tensor = 1 - cosine_similarity(features.float(), centre[None], dim=1)
    return distances


def mapping_loss(distances: Tensor, outliers: Tensor | None = None) -> Tensor:
    """Eq. 3, the mean of half the distances; with outliers Eq. 5, which pushes half of theirs to delta or more.

    Args:
        distances: [B, h, w], as of ``distance``.
        outliers: M_s, bool [B, h, w], true where a feature belongs to a synthetic anomaly.
    """
    half = 0.5 * distances
    if outliers is None:
        return half.mean()
    return torch.where(outliers, (DELTA - half).clamp(min=0), half).mean()


def centre_of(mean: Tensor, second_moment: Tensor) -> Tensor:
    """F_C: the mean over the normal images of F_mixed reduced to 100 channels, or as many as there are, if fewer.

    The paper does not say how it reduces. Here features are projected on the principal axes of all normal features
    about the *origin*: angles at the origin are what Eq. 4 measures, and a texture, which looks alike everywhere, keeps
    a centre where about its own mean it would have noise. The projection is linear, so it may come after the mean.

    Args:
        mean: [C, h, w], of F_mixed over the images.
        second_moment: [C, C], of F_mixed over images and positions, about the origin.

    Returns:
        [min(100, C), h, w].
    """
    axes = torch.linalg.eigh(second_moment.double()).eigenvectors[:, -CHANNELS:]  # eigenvalues ascend
    return torch.einsum("cd,chw->dhw", axes.to(mean.dtype), mean)
