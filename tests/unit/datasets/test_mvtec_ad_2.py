"""MVTec AD 2: its layout, the private images, and the errors where something is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.mvtec_ad_2 import MvtecAd2
from pybench.images.loading import read_mask
from pybench.types import DatasetOptions, InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split

IMAGES = (
    "train/good/001_regular",
    "train/good/000_regular",
    "validation/good/000_regular",
    "test_public/good/000_shift_1",
    "test_public/bad/000_regular",
    "test_public/bad/000_overexposed",
    "test_private/000_regular",
    "test_private_mixed/001_mixed",
    "test_private_mixed/000_mixed",
)


@pytest.fixture
def cans(tmp_path: Path) -> Path:
    for name in IMAGES:
        pictures.save(tmp_path / f"can/{name}.png", GREY)
        if "/bad/" in name:
            mask = name.replace("/bad/", "/ground_truth/bad/")
            pictures.save(tmp_path / f"can/{mask}_mask.png", MASK)
    return tmp_path


def test_normal_parts(cans: Path) -> None:
    assert names(split(MvtecAd2, cans, "can", "train")) == ["good/000_regular.png", "good/001_regular.png"]
    [sample] = split(MvtecAd2, cans, "can", "validation")
    assert (sample.image.parent.parent.name, sample.label, sample.defect_type) == ("validation", 0, "good")
    assert MvtecAd2.has_validation


def test_the_test_part_is_the_public_one(cans: Path) -> None:
    test = split(MvtecAd2, cans, "can", "test")
    assert names(test) == ["bad/000_overexposed.png", "bad/000_regular.png", "good/000_shift_1.png"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "bad"), (1, "bad"), (0, "good")]
    assert test[0].masks == (cans / "can/test_public/ground_truth/bad/000_overexposed_mask.png",)
    np.testing.assert_array_equal(read_mask(test[0], SHAPE), MASK > 0)


def test_private_images(cans: Path) -> None:
    private = MvtecAd2(cans, DatasetOptions(), 0).private_samples("can")
    assert {part: names(samples) for part, samples in private.items()} == {
        "test_private": ["test_private/000_regular.png"],
        "test_private_mixed": ["test_private_mixed/000_mixed.png", "test_private_mixed/001_mixed.png"],
    }


@pytest.mark.parametrize(
    ("part", "removed", "message"),
    [
        ("train", "train/good/*", "train/good: no images here"),
        ("validation", "validation/good/*", "validation/good: no images here"),
        ("test", "test_public/good/*", "test_public/good: no images here"),
        ("test", "test_public/bad/*", "test_public/bad: no images here"),
        ("test", "test_public/ground_truth/bad/000_r*", r"bad/000_regular\.png: its mask is missing; .*_regular_mask"),
    ],
)
def test_errors_name_what_is_missing(cans: Path, part: Any, removed: str, message: str) -> None:
    for file in (cans / "can").glob(removed):
        file.unlink()
    with pytest.raises(InputError, match=message):
        split(MvtecAd2, cans, "can", part)


def test_missing_private_images_are_named(cans: Path) -> None:
    (cans / "can/test_private/000_regular.png").unlink()
    with pytest.raises(InputError, match="test_private: no images here"):
        MvtecAd2(cans, DatasetOptions(), 0).private_samples("can")


def test_missing_category_says_where_and_how(cans: Path) -> None:
    with pytest.raises(InputError, match=r"mvtec_ad_2: the data is not there: looked for .*vial.*mvtec-ad-2"):
        split(MvtecAd2, cans, "vial", "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_images() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "mvtec_ad_2"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    dataset = MvtecAd2(root, DatasetOptions(), 0)
    counts = {category: len(dataset.private_samples(category)["test_private"]) for category in MvtecAd2.info.categories}
    # As the owners' checker counts them.
    assert counts == {
        "can": 321,
        "fabric": 314,
        "fruit_jelly": 255,
        "rice": 277,
        "sheet_metal": 142,
        "vial": 276,
        "wallplugs": 232,
        "walnuts": 228,
    }
