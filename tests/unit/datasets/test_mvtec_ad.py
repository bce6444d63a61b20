"""MVTec AD: its layout, and the errors where something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.mvtec_ad import CATEGORIES, OBJECTS, TEXTURES, MvtecAd
from pybench.images.loading import read_image, read_mask
from pybench.types import DatasetOptions, InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, names


@pytest.fixture
def mvtec(tmp_path: Path) -> MvtecAd:
    for name in (
        "train/good/001",
        "train/good/000",
        "test/good/000",
        "test/crack/000",
        "test/bent/000",
        "test/bent/001",
    ):
        pictures.save(tmp_path / "screw" / f"{name}.png", GREY)
        if name.startswith("test") and "good" not in name:
            pictures.save(tmp_path / "screw" / f"{name.replace('test', 'ground_truth')}_mask.png", MASK)
    return MvtecAd(tmp_path, DatasetOptions(alpha="black"), data_seed=0)


def test_has_ten_objects_and_five_textures() -> None:
    assert (len(OBJECTS), len(TEXTURES)) == (10, 5)
    assert MvtecAd.info.categories == CATEGORIES == tuple(sorted({*OBJECTS, *TEXTURES}))


def test_train(mvtec: MvtecAd) -> None:
    train = mvtec.split("screw", "train")
    assert names(train) == ["good/000.png", "good/001.png"]
    assert {(sample.label, sample.defect_type, sample.masks, sample.alpha) for sample in train} == {
        (0, "good", (), "black")
    }


def test_test(mvtec: MvtecAd) -> None:
    test = mvtec.split("screw", "test")
    assert names(test) == ["bent/000.png", "bent/001.png", "crack/000.png", "good/000.png"]
    assert [sample.label for sample in test] == [1, 1, 1, 0]
    assert [sample.defect_type for sample in test] == ["bent", "bent", "crack", "good"]
    assert test[1].masks == (mvtec.root / "screw/ground_truth/bent/001_mask.png",)
    mask = read_mask(test[1], read_image(test[1]).shape[:2])
    np.testing.assert_array_equal(mask, MASK > 0)


def test_other_and_hidden_files_are_left_out(mvtec: MvtecAd) -> None:
    for name in ("train/good/Thumbs.db", "train/good/._000.png", "test/.DS_Store", "test/.hidden/x.png"):
        path = mvtec.root / "screw" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (mvtec.root / "screw/test/readme.txt").touch()
    (mvtec.root / "screw/train/good/folder.png").mkdir()
    assert len(mvtec.split("screw", "train")) == 2
    assert len(mvtec.split("screw", "test")) == 4


def test_missing_category_says_where_and_how(mvtec: MvtecAd) -> None:
    with pytest.raises(InputError) as caught:
        mvtec.split("pill", "train")
    message = str(caught.value)
    assert str(mvtec.root / "pill") in message
    assert "https://www.mvtec.com/company/research/datasets/mvtec-ad" in message
    assert "mvtec_ad" in message


@pytest.mark.parametrize(("part", "emptied"), [("train", "train/good"), ("test", "test/bent")])
def test_folder_without_images_is_an_error(mvtec: MvtecAd, part: Any, emptied: str) -> None:
    for file in (mvtec.root / "screw" / emptied).iterdir():
        file.rename(file.with_suffix(".bak"))
    with pytest.raises(InputError, match=rf"{emptied}: no images here; expected files named .*\*\.png"):
        mvtec.split("screw", part)


def test_test_part_without_folders_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "screw/test").mkdir(parents=True)
    with pytest.raises(InputError, match="test: no folders here; expected good and"):
        MvtecAd(tmp_path, DatasetOptions(), 0).split("screw", "test")


def test_missing_mask_names_image_and_mask(mvtec: MvtecAd) -> None:
    (mvtec.root / "screw/ground_truth/crack/000_mask.png").unlink()
    with pytest.raises(InputError, match=r"test/crack/000\.png: its mask is missing; looked for .*crack/000_mask\.png"):
        mvtec.split("screw", "test")
