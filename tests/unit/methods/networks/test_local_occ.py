"""The warp, the losses and the centre of ``local_occ`` against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from pybench.methods.networks.local_occ import Matching, centre_of, distance, mapping_loss, warp, warp_back
from tests.unit.methods.local_occ_parts import PLANT, STEP, fitted


def smooth_pictures(count: int, size: int = 32) -> Tensor:
    noise = np.random.default_rng(0).normal(size=(count, 3, size, size))
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 1.5, 1.5))).float()


@pytest.mark.parametrize("transform", [(3.0, 0.0, 0.0), (-2.5, 4.25, 0.0), (0.0, 0.0, 17.0), (4.0, -3.5, -28.0)])
def test_warp_is_scipys_affine_transform(transform: tuple[float, float, float]) -> None:
    (picture,) = smooth_pictures(1)
    x, y, degrees = transform
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.array([[cosine, sine], [-sine, cosine]])  # (row, column) of the result, clockwise to that of the picture
    centre = np.full(2, (32 - 1) / 2)
    offset = centre - back @ (centre + np.array([y, x]))
    expected = [ndimage.affine_transform(channel, back, offset, order=1, mode="nearest") for channel in picture.numpy()]
    moved = warp(picture[None], torch.tensor([transform]), "border")[0]
    np.testing.assert_allclose(moved.numpy(), np.stack(expected), atol=1e-4)


def test_warp_shifts_right_and_down_and_turns_counter_clockwise() -> None:
    pictures = smooth_pictures(2)
    moved = warp(pictures, torch.tensor([[5.0, 2.0, 0.0], [0.0, 0.0, 90.0]]), "zeros")
    shifted = ndimage.shift(pictures[0].numpy(), (0, 2, 5), order=1)
    np.testing.assert_allclose(moved[0].numpy(), shifted, atol=1e-5)
    assert not moved[0, :, :2].any(), "zeros come in from beyond the picture"
    np.testing.assert_allclose(moved[1].numpy(), np.rot90(pictures[1].numpy(), axes=(1, 2)), atol=1e-5)


def test_warping_back_undoes_the_warp_and_fills_with_the_minimum() -> None:
    maps = torch.from_numpy(
        ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2, 48, 48)), (0, 4, 4))
    ).float()
    transform = torch.tensor([[6.0, -3.0, 12.0], [-30.0, 0.0, 0.0]])
    there = warp(maps[:, None], transform, "border")[:, 0]
    back = warp_back(there, transform)
    inner = np.s_[0, 12:36, 12:36]
    torch.testing.assert_close(back[inner], maps[inner], atol=0.1 * float(maps.std()), rtol=0)
    torch.testing.assert_close(back[1, :, 30:], maps[1, :, 30:], atol=1e-5, rtol=0)
    torch.testing.assert_close(back[1, :, :29], there[1].min().expand(48, 29))


def test_an_untrained_matching_module_leaves_images_where_they_are() -> None:
    assert torch.equal(Matching(64)(torch.rand(2, 3, 64, 64)), torch.zeros(2, 3))


def test_matching_never_moves_an_object_out_of_the_picture() -> None:
    matching = Matching(64)
    with torch.no_grad():
        matching.regression[-1].bias.copy_(torch.tensor([50.0, -50.0, 50.0]))
    torch.testing.assert_close(matching(torch.rand(1, 3, 64, 64)), torch.tensor([[16.0, -16.0, 60.0]]))


@pytest.mark.parametrize("centre_size", [5, 1])
def test_losses_are_the_papers_sums(centre_size: int) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 7, 5, 5))
    centre = features[0] + 0.5 * random.normal(size=(7, 5, 5)) if centre_size > 1 else random.normal(size=(7, 1, 1))
    outliers = random.random((2, 5, 5)) < 0.4
    plain, exposed, clipped = 0.0, 0.0, 0
    for image, row, column in np.ndindex(2, 5, 5):
        a, b = features[image, :, row, column], centre[:, row % centre_size, column % centre_size]
        half = 0.5 * (1 - np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))
        plain += half / (2 * 5 * 5)
        exposed += (max(0.0, 0.1 - half) if outliers[image, row, column] else half) / (2 * 5 * 5)
        clipped += bool(outliers[image, row, column] and half > 0.1)
    assert clipped > 0, "some outlier must be beyond delta already"
    assert clipped < outliers.sum() or centre_size == 1, "and some must not"
    distances = distance(torch.from_numpy(features), torch.from_numpy(centre))
    assert float(mapping_loss(distances)) == pytest.approx(plain, rel=1e-5)
    assert float(mapping_loss(distances, torch.from_numpy(outliers))) == pytest.approx(exposed, rel=1e-5)


def test_an_outlier_beyond_delta_is_pushed_no_further() -> None:
    distances = torch.tensor([[[0.05, 0.19, 0.21, 1.5]]], requires_grad=True)
    mapping_loss(distances, torch.ones(1, 1, 4, dtype=torch.bool)).backward()
    torch.testing.assert_close(distances.grad, torch.tensor([[[-0.125, -0.125, 0, 0]]]))


def test_centre_is_the_mean_of_reduced_features() -> None:
    """Reduced image by image on the right singular vectors of all features; sign and order of channels are free."""
    made = fitted(align=False, **STEP)
    features = made._mixed(made.geometry.to_input(PLANT.train.stack)).double()
    rows = features.permute(0, 2, 3, 1).flatten(0, 2).numpy()
    axes = np.linalg.svd(rows, full_matrices=False)[2][:100]
    expected = np.mean([np.einsum("dc,chw->dhw", axes, image) for image in features.numpy()], 0).reshape(100, -1)
    assert made.centre is not None
    found = made.centre.flatten(1).double().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found.T @ found, expected.T @ expected, rtol=1e-3, atol=1e-3 * (expected**2).sum(0).max()
    )


def test_fewer_channels_than_a_hundred_are_all_kept() -> None:
    mean = torch.rand(7, 2, 2)
    centre = centre_of(mean, torch.eye(7))
    torch.testing.assert_close(torch.linalg.vector_norm(centre, dim=0), torch.linalg.vector_norm(mean, dim=0))
