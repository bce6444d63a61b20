"""The stand-in's rendering: what every category promises, and that its bytes never change unnoticed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pybench.datasets.mvtec_ad import CATEGORIES as MVTEC_CATEGORIES
from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.category import VISIBLE, render, take

SIZE = 96
CASES = [(name, kind) for name, category in CATEGORIES.items() for kind in category.defects]


def test_has_mvtecs_categories() -> None:
    assert sorted(CATEGORIES) == sorted(MVTEC_CATEGORIES)
    assert all(name == category.name for name, category in CATEGORIES.items())
    assert sum(category.kind == "texture" for category in CATEGORIES.values()) == 5


@pytest.mark.parametrize("name", CATEGORIES)
def test_has_four_defect_types_and_objects_a_logical_one(name: str) -> None:
    category = CATEGORIES[name]
    assert len(category.defects) >= 4
    if category.kind == "object":
        assert any(defect.change for defect in category.defects.values())


@pytest.mark.parametrize("name", CATEGORIES)
def test_normal_images_have_no_mask_and_differ(name: str) -> None:
    places = (("train/good", 0), ("train/good", 1), ("test/good", 0))
    first, second, third = (render(CATEGORIES[name], folder, index, SIZE, seed=0) for folder, index in places)
    assert first.picture.shape == (SIZE, SIZE, 3)
    assert first.picture.dtype == np.uint8
    assert not first.mask.any()
    assert (first.picture != second.picture).any()
    assert (first.picture != third.picture).any()
    assert (first.picture != render(CATEGORIES[name], "train/good", 0, SIZE, seed=1).picture).any()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_mask_holds_what_the_defect_changed(name: str, kind: str) -> None:
    """Against the same scene without the defect: nothing visible outside the mask, and no mask far from a change."""
    shot = take(CATEGORIES[name], f"test/{kind}", 0, SIZE, seed=3)
    mask = render(CATEGORIES[name], f"test/{kind}", 0, SIZE, seed=3).mask
    difference = np.abs(shot.actual - shot.normal).max(axis=2)
    assert mask.dtype == np.bool_
    assert mask.any()
    assert difference[~mask].max() <= VISIBLE
    assert ndimage.distance_transform_cdt(difference <= VISIBLE)[mask].max() <= 2
    assert mask.mean() < 0.6


def test_same_seed_gives_the_same_bytes() -> None:
    one, two = (render(CATEGORIES["cable"], "test/bent_wire", 4, SIZE, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_scene_does_not_depend_on_the_size() -> None:
    """A small rendering is the large one seen coarsely: only the sensor's noise depends on the number of pixels."""
    large, small = (take(CATEGORIES["bottle"], "train/good", 0, size, seed=0).normal for size in (256, 64))
    coarse = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(coarse - small).mean() < 0.01
