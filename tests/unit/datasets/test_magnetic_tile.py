"""The magnetic tiles: split by the data seed, and masks beside the images."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from pybench.datasets.magnetic_tile import DEFECT_TYPES, MagneticTile
from pybench.images.loading import fingerprint, read_image, read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    for kind, count in zip(("Free", *DEFECT_TYPES), (20, 1, 2, 1, 1, 1), strict=True):
        for i in range(count):
            pictures.save(tmp_path / f"MT_{kind}/Imgs/exp1_num_{i}.jpg", GREY)
            pictures.save(tmp_path / f"MT_{kind}/Imgs/exp1_num_{i}.png", MASK * (kind not in ("Free", "Uneven")))
    return tmp_path


def tile_split(root: Path, part: Any, seed: int = 0) -> list[Sample]:
    return split(MagneticTile, root, "magnetic_tile", part, seed)


def test_tiles_train_on_80_percent_of_the_free_ones(tiles: Path) -> None:
    train, test = tile_split(tiles, "train"), tile_split(tiles, "test")
    assert len(train) == 16
    assert not any(sample.label for sample in train)
    normal = [sample for sample in test if not sample.label]
    assert len(normal) == 4
    everything = {sample.image for sample in train + normal}
    assert everything == set((tiles / "MT_Free/Imgs").glob("*.jpg"))
    expected = {"blowhole": 1, "break": 2, "crack": 1, "fray": 1, "uneven": 1, "good": 4}
    assert Counter(sample.defect_type for sample in test) == expected


def test_tiles_split_follows_the_data_seed(tiles: Path) -> None:
    assert tile_split(tiles, "train", 1) == tile_split(tiles, "train", 1)
    splits = {tuple(names(tile_split(tiles, "train", seed))) for seed in range(5)}
    assert len(splits) == 5
    for images in splits:
        assert list(images) == sorted(images)


def test_tile_masks_lie_beside_their_images(tiles: Path) -> None:
    by_type = {sample.defect_type: sample for sample in tile_split(tiles, "test")}
    assert by_type["break"].masks[0].name == by_type["break"].image.with_suffix(".png").name
    np.testing.assert_array_equal(read_mask(by_type["break"], SHAPE), MASK > 0)
    assert read_mask(by_type["uneven"], SHAPE) is None  # its mask is empty
    mask = by_type["crack"].masks[0]
    mask.unlink()
    with pytest.raises(InputError, match=r"exp1_num_0\.jpg: its mask is missing; looked for .*exp1_num_0\.png"):
        tile_split(tiles, "test")


def test_missing_tiles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"looked for the folder .*MT_Free.*github\.com/abin24"):
        tile_split(tmp_path, "train")
    (tmp_path / "MT_Free/Imgs").mkdir(parents=True)
    with pytest.raises(InputError, match="no images here"):
        tile_split(tmp_path, "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_tiles() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "magnetic_tile"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    train, test = tile_split(root, "train"), tile_split(root, "test")
    assert (len(train), len(test)) == (762, 190 + 392)
    assert len(fingerprint(train + test)) == 16
    masks = [read_mask(sample, read_image(sample).shape[:2]) for sample in test if sample.label]
    assert sum(mask is None for mask in masks) == 4
    regions = sum(ndimage.label(mask, np.ones((3, 3)))[1] for mask in masks if mask is not None)
    assert regions == 462
