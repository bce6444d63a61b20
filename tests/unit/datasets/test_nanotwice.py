"""NanoTWICE: five normal images to fit on, and no normal one to test on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.nanotwice import NanoTwice
from pybench.images.loading import read_image, read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split


@pytest.fixture
def nanofibres(tmp_path: Path) -> Path:
    for number in range(1130, 1135):
        pictures.save(tmp_path / f"Normal/ITIA{number}.tif", GREY)
    for number in (1101, 1102, 1103):
        pictures.save(tmp_path / f"Anomalous/images/ITIA{number}.tif", GREY)
        pictures.save(tmp_path / f"Anomalous/gt/ITIA{number}_gt.png", MASK)
    return tmp_path


def nano_split(root: Path, part: Any) -> list[Sample]:
    return split(NanoTwice, root, "nanotwice", part)


def test_parts_are_the_authors(nanofibres: Path) -> None:
    train, test = nano_split(nanofibres, "train"), nano_split(nanofibres, "test")
    assert names(train) == [f"Normal/ITIA{number}.tif" for number in range(1130, 1135)]
    assert names(test) == ["images/ITIA1101.tif", "images/ITIA1102.tif", "images/ITIA1103.tif"]
    assert {(sample.label, sample.defect_type) for sample in train} == {(0, "good")}
    assert {(sample.label, sample.defect_type) for sample in test} == {(1, "defective")}
    assert read_image(test[0]).shape == (*SHAPE, 3)


@pytest.mark.parametrize("white", [1, 77, 255])
def test_a_mask_is_defective_where_it_is_not_black(nanofibres: Path, white: int) -> None:
    pictures.save(nanofibres / "Anomalous/gt/ITIA1102_gt.png", MASK // 255 * white)
    np.testing.assert_array_equal(read_mask(nano_split(nanofibres, "test")[1], SHAPE), MASK > 0)


def test_missing_mask_is_named(nanofibres: Path) -> None:
    (nanofibres / "Anomalous/gt/ITIA1103_gt.png").unlink()
    with pytest.raises(InputError, match=r"ITIA1103\.tif: its mask is missing; looked for .*gt/ITIA1103_gt\.png"):
        nano_split(nanofibres, "test")


def test_missing_data(tmp_path: Path) -> None:
    for part, folder in (("train", "Normal"), ("test", "images")):
        with pytest.raises(InputError, match=rf"nanotwice: the data is not there: looked for the folder .*{folder}\."):
            nano_split(tmp_path, part)
    (tmp_path / "Normal").mkdir()
    with pytest.raises(InputError, match=r"Normal: no images here"):
        nano_split(tmp_path, "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_nanofibres() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "nanotwice"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    train, test = nano_split(root, "train"), nano_split(root, "test")
    assert (len(train), len(test)) == (5, 40)
    assert all(read_mask(sample, read_image(sample).shape[:2]) is not None for sample in test)
