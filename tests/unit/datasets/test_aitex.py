"""AITEX: fabrics and defects by the codes in the names, and a split by the data seed."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.aitex import Aitex
from pybench.images.loading import read_image, read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split

ROLLS = {"2306881-210020u": "05", "2608691-202020u": "01"}


@pytest.fixture
def fabrics(tmp_path: Path) -> Path:
    for roll, fabric in ROLLS.items():
        for number in range(1, 11):
            pictures.save(tmp_path / f"NODefect_images/{roll}/{number:04}_000_{fabric}.png", GREY)
    pictures.save(tmp_path / "NODefect_images/2608691-202020u/0018_00_01.png", GREY)
    for name in ("0001_002_05", "0094_027_05", "0044_019_01", "0100_025_08"):
        pictures.save(tmp_path / f"Defect_images/{name}.png", GREY)
    for name in ("0001_002_05_mask", "0094_027_05_mask"):
        pictures.save(tmp_path / f"Mask_images/{name}.png", MASK)
    left = MASK * (np.arange(MASK.shape[1]) < 4)
    pictures.save(tmp_path / "Mask_images/0044_019_01_mask1.png", left)
    pictures.save(tmp_path / "Mask_images/0044_019_01_mask2.png", MASK - left)
    return tmp_path


def fabric_split(root: Path, part: Any, fabric: str = "05", seed: int = 0) -> list[Sample]:
    return split(Aitex, root, fabric, part, seed)


def test_a_fabric_trains_on_80_percent_of_its_normal_strips(fabrics: Path) -> None:
    train, test = fabric_split(fabrics, "train"), fabric_split(fabrics, "test")
    assert len(train) == 8
    assert {sample.image.stem[-2:] for sample in train + test} == {"05"}
    assert Counter(sample.defect_type for sample in test) == {"broken_end": 1, "knots": 1, "good": 2}
    assert [sample.label for sample in test] == [1, 1, 0, 0]
    everything = {sample.image for sample in train + test[2:]}
    assert everything == set((fabrics / "NODefect_images/2306881-210020u").iterdir())
    assert len({tuple(names(fabric_split(fabrics, "train", seed=seed))) for seed in range(5)}) > 1


def test_an_irregular_normal_name_is_read(fabrics: Path) -> None:
    strips = fabric_split(fabrics, "train", "01") + fabric_split(fabrics, "test", "01")
    assert "2608691-202020u/0018_00_01.png" in names(strips)


@pytest.mark.parametrize(("fabric", "count"), [("05", 1), ("01", 2)])
def test_masks_are_united(fabrics: Path, fabric: str, count: int) -> None:
    sample = fabric_split(fabrics, "test", fabric)[0]
    assert len(sample.masks) == count
    np.testing.assert_array_equal(read_mask(sample, SHAPE), MASK > 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Defect_images/0007_019_05.png", r"0007_019_05\.png: its mask is missing; looked for .*0007_019_05_mask\.png"),
        ("Defect_images/0007_011_05.png", r"0007_011_05\.png: unknown defect code '011'; expected one of 002, 006"),
        ("Defect_images/knots.png", r"knots\.png: expected a name of number, defect code and fabric"),
        ("NODefect_images/2306881-210020u/0007_019_05.png", r"0007_019_05\.png: has a defect code, but lies among"),
    ],
)
def test_what_is_wrong_is_named(fabrics: Path, name: str, message: str) -> None:
    pictures.save(fabrics / name, GREY)
    with pytest.raises(InputError, match=message):
        fabric_split(fabrics, "test")


def test_missing_data(fabrics: Path) -> None:
    with pytest.raises(
        InputError, match=r"NODefect_images: no image of fabric 02; expected names that end in _02\.png"
    ):
        fabric_split(fabrics, "train", "02")
    with pytest.raises(InputError, match=r"/Defect_images: no image of fabric 02"):
        fabric_split(fabrics, "test", "02")
    for part in ("train", "test"):
        with pytest.raises(InputError, match=r"aitex: the data is not there: looked for the folder .*aitex\.es/afid"):
            fabric_split(fabrics / "elsewhere", part)


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_fabrics() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "aitex"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    test = [sample for fabric in Aitex.info.categories for sample in fabric_split(root, "test", fabric)]
    train = [sample for fabric in Aitex.info.categories for sample in fabric_split(root, "train", fabric)]
    defective = [sample for sample in test if sample.label]
    assert (len(train) + len(test) - len(defective), len(defective)) == (141, 105)
    empty = [sample.image.stem for sample in defective if read_mask(sample, read_image(sample).shape[:2]) is None]
    assert empty == ["0106_010_03"]
