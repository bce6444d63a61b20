"""The shared losses against sums written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from pybench.training.losses import focal_loss, ssim_map


def test_focal_loss_is_its_formula() -> None:
    logits = torch.tensor([0.0, 2.0, -1.0, 3.0]).view(1, 1, 2, 2)
    target = torch.tensor([True, False, True, True]).view(1, 1, 2, 2)
    probability = 1 / (1 + np.exp(-logits.flatten().double().numpy()))
    positive = target.flatten().numpy()
    right = np.where(positive, probability, 1 - probability)
    weight = np.where(positive, 0.3, 0.7)
    expected = np.mean(-weight * (1 - right) ** 1.5 * np.log(right))
    assert float(focal_loss(logits, target, alpha=0.3, gamma=1.5)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_without_focus_is_the_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(2, 1, 5, 4, generator=generator), torch.rand(2, 1, 5, 4, generator=generator).round()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(focal_loss(logits, target, alpha=-1, gamma=0), expected)


def test_ssim_map_is_its_formula_at_every_pixel() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.random((2, 3, 14, 12))
    offset = np.arange(-5, 6)
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    expected = np.zeros((14, 12))
    for left, right in zip(one, other, strict=True):
        left, right = (np.pad(channel, 5, mode="reflect") for channel in (left, right))
        for row, column in np.ndindex(14, 12):
            x, y = (channel[row : row + 11, column : column + 11] for channel in (left, right))
            mean_x, mean_y = (window * x).sum(), (window * y).sum()
            variance_x, variance_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
            covariance = (window * (x - mean_x) * (y - mean_y)).sum()
            luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
            expected[row, column] += luminance * (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2) / 3
    found = ssim_map(*(torch.from_numpy(image[None]).float() for image in (one, other)))
    assert found.shape == (1, 1, 14, 12)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=2e-5)


def test_ssim_map_and_its_gradients_are_those_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 2, 3, 24, 18, generator=generator)
    results = []
    for channel_by_channel in (False, True):
        x, y = one.clone().requires_grad_(), other.clone().requires_grad_()
        if channel_by_channel:
            flat = x.flatten(0, 1)[:, None], y.flatten(0, 1)[:, None]
            _, full = structural_similarity_index_measure(*flat, data_range=1.0, return_full_image=True)
            similarity = full.view_as(x).mean(1, keepdim=True)
        else:
            similarity = ssim_map(x, y)
        results.append((similarity, *torch.autograd.grad(similarity.square().sum(), (x, y))))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_ssim_map_can_be_trained_with_after_a_prediction_of_that_size() -> None:
    images = torch.rand(2, 1, 3, 20, 21, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ssim_map(*images)
    one = images[0].clone().requires_grad_()
    ssim_map(one, images[1]).mean().backward()
    assert one.grad is not None


def test_ssim_map_of_an_image_with_itself_is_one() -> None:
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ssim_map(images, images), torch.ones(2, 1, 16, 16))
