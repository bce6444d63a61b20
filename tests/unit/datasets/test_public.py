"""mSTC, VisA, BTAD and DAGM: their authors' layouts on small folders, and what is said where something is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.btad import Btad
from pybench.datasets.dagm import Dagm
from pybench.datasets.mstc import Mstc
from pybench.datasets.visa import Visa
from pybench.images.loading import fingerprint, read_mask
from pybench.types import Dataset, DatasetOptions, InputError, Sample
from tests.unit import pictures

SHAPE = (6, 8)
GREY = np.full(SHAPE, 99)
MASK = np.eye(*SHAPE, dtype=np.int64) * 255


def split(dataset: type[Dataset], root: Path, category: str, part: Any) -> list[Sample]:
    return dataset(root, DatasetOptions(), 0).split(category, part)


def names(samples: list[Sample]) -> list[str]:
    return [f"{sample.image.parent.name}/{sample.image.name}" for sample in samples]


@pytest.mark.parametrize(
    ("dataset", "count"), [(Mstc, 12), (Visa, 12), (Btad, 3), (Dagm, 10)], ids=["mstc", "visa", "btad", "dagm"]
)
def test_missing_data_says_where_and_how(dataset: type[Dataset], count: int, tmp_path: Path) -> None:
    assert len(dataset.info.categories) == count
    for part in ("train", "test"):
        with pytest.raises(InputError, match=rf"{dataset.info.name}: the data is not there: looked for .*{tmp_path}"):
            split(dataset, tmp_path, dataset.info.categories[0], part)
    (tmp_path / "01").mkdir()
    with pytest.raises(InputError, match=f"{dataset.info.name} has no part 'validation'"):
        split(dataset, tmp_path, dataset.info.categories[0], "validation")


# --- mstc ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mstc(tmp_path: Path) -> Path:
    """Two training clips of scene 01; a test clip of 12 frames of which 5 to 10 are abnormal, and one of scene 02."""
    for clip, frames in (("training/frames/01_001", 6), ("training/frames/01_002", 5), ("testing/frames/01_0014", 12)):
        for frame in range(frames):
            pictures.save(tmp_path / clip / f"{frame:03}.jpg", GREY)
    pictures.save(tmp_path / "testing/frames/02_0001/000.jpg", GREY)
    labels, masks = np.zeros(12, np.int8), np.zeros((12, *SHAPE), np.uint8)
    labels[5:11] = 1
    for frame in range(5, 10):
        masks[frame, frame - 5 : frame - 3] = 1
    for folder, array in (("test_frame_mask", labels), ("test_pixel_mask", masks)):
        (tmp_path / "testing" / folder).mkdir()
        np.save(tmp_path / "testing" / folder / "01_0014.npy", array)
    return tmp_path


def test_mstc_takes_every_fifth_frame_of_a_scene(mstc: Path) -> None:
    assert names(split(Mstc, mstc, "01", "train")) == ["01_001/000.jpg", "01_001/005.jpg", "01_002/000.jpg"]
    test = split(Mstc, mstc, "01", "test")
    assert names(test) == ["01_0014/000.jpg", "01_0014/005.jpg", "01_0014/010.jpg"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(0, "good"), (1, "event"), (1, "event")]


def test_mstc_masks_are_frames_of_a_clip(mstc: Path) -> None:
    _, abnormal, unmarked = split(Mstc, mstc, "01", "test")
    expected = np.zeros(SHAPE, bool)
    expected[:2] = True
    np.testing.assert_array_equal(read_mask(abnormal, SHAPE), expected)
    assert read_mask(unmarked, SHAPE) is None, "its event is marked nowhere"
    before = fingerprint([abnormal])
    file = abnormal.masks[0]
    np.save(file, np.load(file)[::-1])
    assert fingerprint([abnormal]) != before


def test_mstc_frames_are_in_order_beyond_a_thousand(mstc: Path) -> None:
    for frame in (999, 1000, 1001, 1002, 1003):
        pictures.save(mstc / f"training/frames/01_003/{frame}.jpg", GREY)
    assert names(split(Mstc, mstc, "01", "train"))[-1] == "01_003/999.jpg"


def test_mstc_errors_name_what_is_missing(mstc: Path) -> None:
    with pytest.raises(InputError, match=r"training/frames: no clips of scene 03 here; expected folders named 03_\*"):
        split(Mstc, mstc, "03", "train")
    with pytest.raises(InputError, match=r"test_frame_mask/02_0001\.npy: no such file"):
        split(Mstc, mstc, "02", "test")
    labels, masks = (mstc / f"testing/test_{kind}_mask/01_0014.npy" for kind in ("frame", "pixel"))
    sample = split(Mstc, mstc, "01", "test")[1]
    np.save(labels, np.zeros(11))
    with pytest.raises(InputError, match=r"01_0014\.npy: labels of shape \[11\], but .*01_0014 has 12 frames"):
        split(Mstc, mstc, "01", "test")
    np.save(labels, np.ones(12))
    np.save(masks, np.ones((5, *SHAPE)))
    with pytest.raises(InputError, match=r"shape \[5, 6, 8\]; expected \[frames, height, width\] with a frame 5"):
        read_mask(sample, SHAPE)
    np.save(masks, np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"01_0014\.npy: cannot be read as a NumPy array"):
        read_mask(sample, SHAPE)
    masks.unlink()
    with pytest.raises(InputError, match=r"000\.jpg: its mask is missing; looked for .*test_pixel_mask/01_0014\.npy"):
        split(Mstc, mstc, "01", "test")
    (mstc / "training/frames").rename(mstc / "training/videos")
    with pytest.raises(
        InputError, match=r"looked for the folder .*training/frames.*ffmpeg -i training/videos/<clip>\.avi"
    ):
        split(Mstc, mstc, "01", "train")


# --- visa ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def visa(tmp_path: Path) -> Path:
    rows = ["object,split,label,image,mask"]
    for part, label, folder, number in (
        ("train", "normal", "Normal", 3), ("train", "normal", "Normal", 1), ("test", "normal", "Normal", 2),
        ("test", "anomaly", "Anomaly", 0),
    ):  # fmt: skip
        for category in ("candle", "pcb1"):
            image = f"{category}/Data/Images/{folder}/{number:03}.JPG"
            mask = f"{category}/Data/Masks/Anomaly/{number:03}.png" if label == "anomaly" else ""
            pictures.save(tmp_path / image, GREY, format="JPEG")
            if mask:
                pictures.save(tmp_path / mask, MASK // 255 * 4)
            rows.append(f"{category},{part},{label},{image},{mask}")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv/1cls.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_visa_goes_by_the_authors_split(visa: Path) -> None:
    train, test = split(Visa, visa, "candle", "train"), split(Visa, visa, "candle", "test")
    assert names(train) == ["Normal/001.JPG", "Normal/003.JPG"]
    assert names(test) == ["Anomaly/000.JPG", "Normal/002.JPG"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "anomaly"), (0, "good")]
    assert "candle" in str(test[0].masks[0])


def test_visa_masks_hold_class_numbers(visa: Path) -> None:
    np.testing.assert_array_equal(read_mask(split(Visa, visa, "pcb1", "test")[0], SHAPE), MASK > 0)


def test_visa_errors_name_what_is_missing(visa: Path) -> None:
    file = visa / "split_csv/1cls.csv"
    with pytest.raises(InputError, match=r"1cls\.csv: no row with object cashew and split train"):
        split(Visa, visa, "cashew", "train")
    (visa / "candle/Data/Masks/Anomaly/000.png").unlink()
    with pytest.raises(InputError, match=r"Anomaly/000\.JPG: its mask is missing; looked for .*Masks/Anomaly/000\.png"):
        split(Visa, visa, "candle", "test")
    file.write_text(file.read_text().replace("object,", "category,"))
    with pytest.raises(InputError, match=r"1cls\.csv: the columns are \['category', .*; expected object, split,"):
        split(Visa, visa, "candle", "train")


# --- btad ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def btad(tmp_path: Path) -> Path:
    for name in ("train/ok/0001", "train/ok/0000", "test/ok/0000", "test/ko/0000", "test/ko/0001"):
        pictures.save(tmp_path / f"03/{name}.bmp", GREY)
    pictures.save(tmp_path / "03/ground_truth/ko/0000.png", MASK)
    pictures.save(tmp_path / "03/ground_truth/ko/0001.bmp", MASK)
    return tmp_path


def test_btad_masks_may_be_of_another_file_type(btad: Path) -> None:
    assert names(split(Btad, btad, "03", "train")) == ["ok/0000.bmp", "ok/0001.bmp"]
    test = split(Btad, btad, "03", "test")
    assert names(test) == ["ko/0000.bmp", "ko/0001.bmp", "ok/0000.bmp"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "defective"), (1, "defective"), (0, "good")]
    for sample in test[:2]:
        assert sample.masks[0].stem == sample.image.stem
        np.testing.assert_array_equal(read_mask(sample, SHAPE), MASK > 0)


def test_btad_missing_mask_is_named(btad: Path) -> None:
    (btad / "03/ground_truth/ko/0001.bmp").unlink()
    with pytest.raises(InputError, match=r"ko/0001\.bmp: its mask is missing; looked for .*ground_truth/ko/0001\.png"):
        split(Btad, btad, "03", "test")


# --- dagm ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def dagm(tmp_path: Path) -> Path:
    for part, defective in (("Train", (2,)), ("Test", (1, 3))):
        for number in range(1, 5):
            pictures.save(tmp_path / f"Class7/{part}/{number:04}.PNG", GREY)
        for number in defective:
            pictures.save(tmp_path / f"Class7/{part}/Label/{number:04}_label.PNG", MASK)
        (tmp_path / f"Class7/{part}/Label/Labels.txt").touch()
    return tmp_path


def test_dagm_trains_on_defect_free_images_and_tests_on_all(dagm: Path) -> None:
    train, test = split(Dagm, dagm, "Class7", "train"), split(Dagm, dagm, "Class7", "test")
    assert names(train) == ["Train/0001.PNG", "Train/0003.PNG", "Train/0004.PNG"]
    assert not any(sample.label for sample in train)
    assert names(test) == [f"Test/000{number}.PNG" for number in (1, 2, 3, 4)]
    assert Counter(sample.defect_type for sample in test) == {"defective": 2, "good": 2}
    assert [sample.label for sample in test] == [1, 0, 1, 0]
    np.testing.assert_array_equal(read_mask(test[2], SHAPE), MASK > 0)


def test_dagm_labels_must_be_there_and_have_an_image(dagm: Path) -> None:
    (dagm / "Class7/Test/0003.PNG").unlink()
    with pytest.raises(InputError, match=r"Test/Label: labels without an image: 0003; expected NNNN_label\.PNG"):
        split(Dagm, dagm, "Class7", "test")
    (dagm / "Class7/Train/Label/0002_label.PNG").unlink()
    with pytest.raises(InputError, match=r"Train/Label: no labels here; expected NNNN_label\.PNG"):
        split(Dagm, dagm, "Class7", "train")
