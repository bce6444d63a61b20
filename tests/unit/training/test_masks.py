"""Random masks: Perlin noise and single regions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from pybench.training import masks
from pybench.training.masks import perlin_mask, region_mask
from tests.unit.training.drawing import SIZE, generator, noise


def pieces(mask: Tensor) -> int:
    """8-connected regions of a mask."""
    return int(ndimage.label(mask.numpy(), np.ones((3, 3)))[1])


@pytest.mark.parametrize("size", [32, 64, 100])
def test_perlin_masks_are_never_empty_and_cover_a_share_that_varies(size: int) -> None:
    random = generator()
    shares = [float(perlin_mask(size, random).float().mean()) for _ in range(200)]
    assert min(shares) > 0
    assert 0.02 < np.median(shares) < 0.12
    assert max(shares) < 0.6
    assert len({perlin_mask(size, random).numpy().tobytes() for _ in range(20)}) == 20


def test_perlin_masks_shrink_with_the_threshold_and_exist_where_no_noise_reaches_it() -> None:
    low, high = (
        np.mean([float(perlin_mask(SIZE, generator(seed), threshold=threshold).float().mean()) for seed in range(30)])
        for threshold in (0.0, 0.5)
    )
    assert 0.4 < low < 0.6
    assert high < 0.15
    assert 0 < perlin_mask(SIZE, generator(), threshold=1.0).float().mean() < 0.5


def test_perlin_masks_are_not_empty_where_all_noise_is_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "perlin_noise", lambda height, width, cells, *, seed: noise(height, width) - 2)
    assert perlin_mask(SIZE, generator()).any()


def test_perlin_lattices_have_powers_of_two_cells_of_at_least_eight_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def spy(height: int, width: int, cells: tuple[int, int], *, seed: int) -> Tensor:
        seen.add(cells)
        return torch.ones(height, width)

    monkeypatch.setattr(masks, "perlin_noise", spy)
    random = generator()
    for _ in range(300):
        perlin_mask(64, random)
    assert seen == {(2**rows, 2**columns) for rows in range(4) for columns in range(4)}


def test_turning_turns() -> None:
    bar = torch.zeros(33, 33)
    bar[16] = 1
    torch.testing.assert_close(masks._turned(bar, 90), bar.T, atol=1e-5, rtol=0)
    expected = ndimage.rotate(noise(33, 33).numpy(), 30, order=1, reshape=False)
    inner = slice(9, 24)
    found = masks._turned(noise(33, 33), 30).numpy()
    np.testing.assert_allclose(found[inner, inner], expected[inner, inner], atol=1e-4)


@pytest.mark.parametrize("size", [32, 64, 150])
def test_regions_are_connected_within_their_bounds_and_all_over_the_image(size: int) -> None:
    random = generator()
    masks = [region_mask(size, random) for _ in range(400)]
    assert {pieces(mask) for mask in masks} == {1}
    shares = np.array([float(mask.float().mean()) for mask in masks])
    assert shares.min() >= 0.001
    assert shares.max() <= 0.1
    assert np.quantile(shares, 0.1) < 0.007
    assert np.quantile(shares, 0.9) > 0.03
    hits = torch.stack(masks).float().sum(0)
    quarter = size // 4
    blocks = hits.unfold(0, quarter, quarter).unfold(1, quarter, quarter).mean((2, 3))
    assert blocks.min() > 0.2 * blocks.max()


def test_regions_differ_in_shape() -> None:
    def compactness(outline: NDArray[np.float64]) -> float:
        steps = np.diff(np.concatenate([outline, outline[:1]]), axis=0)
        return 4 * np.pi * masks._area(outline) / np.hypot(*steps.T).sum() ** 2

    random = generator()
    blobs, polygons, strips = ([compactness(shape(random)) for _ in range(50)] for shape in masks._OUTLINES)
    assert np.median(strips) < 0.3 < np.median(polygons) < np.median(blobs) + 0.3
    assert np.ptp(blobs) > 0.1
    assert masks._area(np.array([[0, 0], [4, 0], [4, 3]])) == 6
