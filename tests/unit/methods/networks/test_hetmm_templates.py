"""Selection of templates, against choices made by hand and scikit-learn's K-Means."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn.functional import normalize

from pybench.methods.networks.hetmm_templates import Selection, select_templates
from pybench.ops.optics_select import optics_select

SHEETS = 4
KMEANS = ("kmeans_pixel", "kmeans_image")


@pytest.fixture(scope="module")
def templates() -> Tensor:
    """Three kinds of images and some noise, [30, 5, 2, 3]; no two feature vectors are equal."""
    random = np.random.default_rng(0)
    kinds = random.normal(size=(3, 5, 2, 3))
    return torch.from_numpy(kinds[np.arange(30) % 3] + random.normal(0, 0.4, (30, 5, 2, 3))).float()


def select(templates: Tensor, selection: Selection, *, sheets: int = SHEETS, seed: int = 0) -> Tensor:
    return select_templates(templates, sheets, selection, seed=seed, backend="auto")


def origins(selected: Tensor, templates: Tensor) -> np.ndarray:
    """Which image each selected vector is from, [K, H, W]; -1 where it is none's."""
    equal = (selected[:, None] == templates[None]).all(2)  # [K, N, H, W]
    return np.where(equal.any(1), equal.float().argmax(1), -1)


def inertia(points: np.ndarray, centroids: np.ndarray) -> float:
    return float(((points[:, None] - centroids[None]) ** 2).sum(2).min(1).sum())


def best_inertia(points: np.ndarray) -> float:
    return float(KMeans(SHEETS, n_init=10, random_state=0).fit(points).inertia_)


@pytest.mark.parametrize("selection", get_args(Selection))
def test_as_many_or_fewer_are_all_kept(templates: Tensor, selection: Selection) -> None:
    assert torch.equal(select(templates, selection, sheets=30), templates)
    assert torch.equal(select(templates, selection, sheets=31), templates)


@pytest.mark.parametrize("selection", get_args(Selection))
def test_there_are_as_many_as_asked_for_and_a_seed_gives_the_same(templates: Tensor, selection: Selection) -> None:
    first = select(templates, selection)
    assert first.shape == (SHEETS, 5, 2, 3)
    assert torch.equal(first, select(templates, selection))
    draws = selection != "optics"
    assert torch.equal(first, select(templates, selection, seed=1)) != draws


def test_optics_is_chosen_at_every_position(templates: Tensor) -> None:
    selected = select(templates, "optics")
    for row, column in np.ndindex(2, 3):
        expected = optics_select(templates[:, None, :, row, column], SHEETS, backend="reference")[:, 0]
        assert torch.equal(selected[:, :, row, column], expected)


def test_random_images_are_whole_and_the_same_in_every_layer(templates: Tensor) -> None:
    chosen = origins(select(templates, "random_image"), templates)
    assert (chosen == chosen[:, :1, :1]).all()
    assert len(set(chosen[:, 0, 0])) == SHEETS
    assert chosen.min() >= 0
    other_layer = torch.rand(30, 2, 7, 7, generator=torch.Generator().manual_seed(0))
    assert (origins(select(other_layer, "random_image"), other_layer)[:, 0, 0] == chosen[:, 0, 0]).all()


def test_random_pixels_are_drawn_at_each_position_without_replacement(templates: Tensor) -> None:
    chosen = origins(select(templates, "random_pixel"), templates)
    assert chosen.min() >= 0
    sets = {frozenset(chosen[:, row, column]) for row, column in np.ndindex(2, 3)}
    assert {len(images) for images in sets} == {SHEETS}
    assert len(sets) > 1, "every position drew the same images"


def test_random_pixels_are_drawn_alike(templates: Tensor) -> None:
    draws = [origins(select(templates, "random_pixel", seed=seed), templates).ravel() for seed in range(200)]
    counts = np.bincount(np.concatenate(draws), minlength=30)
    assert counts.min() > 0.7 * counts.mean()
    assert counts.max() < 1.3 * counts.mean()


def test_kmeans_of_pixels_is_near_scikit_learns_at_every_position(templates: Tensor) -> None:
    """Its first centroids are drawn once, as faiss does by default; scikit-learn here takes the best of ten draws."""
    unit, selected = normalize(templates, dim=1).numpy(), select(templates, "kmeans_pixel").numpy()
    drawn = normalize(select(templates, "random_pixel"), dim=1).numpy()
    positions = list(np.ndindex(2, 3))
    best = sum(best_inertia(unit[:, :, row, column]) for row, column in positions)
    found, random = (
        sum(inertia(unit[:, :, row, column], centres[:, :, row, column]) for row, column in positions)
        for centres in (selected, drawn)
    )
    assert found < 1.2 * best < random


def test_kmeans_of_images_is_as_good_as_scikit_learns_over_whole_maps(templates: Tensor) -> None:
    points = normalize(templates, dim=1).flatten(1).numpy()
    assert inertia(points, select(templates, "kmeans_image").flatten(1).numpy()) <= 1.1 * best_inertia(points)


@pytest.mark.parametrize("selection", KMEANS)
def test_centroids_are_means_of_their_members(templates: Tensor, selection: Selection) -> None:
    unit, selected = (
        layer.flatten(1) if selection == "kmeans_image" else layer[:, :, 1, 2]
        for layer in (normalize(templates, dim=1), select(templates, selection))
    )
    members = torch.cdist(unit, selected).argmin(1)
    expected = torch.stack([unit[members == number].mean(0) for number in range(SHEETS)])
    torch.testing.assert_close(selected, expected, atol=1e-5, rtol=1e-4)


def test_kmeans_sees_every_template() -> None:
    """faiss leaves out points beyond 256 a centroid unless told not to."""
    many = torch.rand(400, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    mean = normalize(many, dim=1).mean(0, keepdim=True)
    torch.testing.assert_close(select(many, "kmeans_image", sheets=1), mean, atol=1e-5, rtol=1e-4)


def test_hard_examples_are_covered_by_the_papers_selection_only() -> None:
    """Fig. 4: six rare examples beside two dense regions; K-Means of as many centroids leaves some of them far away."""
    random = np.random.default_rng(0)
    kinds = np.eye(8)[[0] * 60 + [1] * 60 + [2, 3, 4, 5, 6, 7]]
    examples = torch.from_numpy(kinds + random.normal(0, 0.15, kinds.shape)).float()[:, :, None, None]

    def farthest(selection: Selection) -> float:
        selected = normalize(select(examples, selection, sheets=8), dim=1).flatten(1)
        return float((1 - normalize(examples, dim=1).flatten(1) @ selected.T).amin(1).max())

    assert farthest("optics") < 0.3 < min(farthest(other) for other in get_args(Selection) if other != "optics")
