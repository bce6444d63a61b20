"""VisA: the authors' split file, and the errors where something is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.visa import Visa
from pybench.images.loading import read_mask
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split


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


def test_goes_by_the_authors_split(visa: Path) -> None:
    train, test = split(Visa, visa, "candle", "train"), split(Visa, visa, "candle", "test")
    assert names(train) == ["Normal/001.JPG", "Normal/003.JPG"]
    assert names(test) == ["Anomaly/000.JPG", "Normal/002.JPG"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "anomaly"), (0, "good")]
    assert "candle" in str(test[0].masks[0])


def test_masks_hold_class_numbers(visa: Path) -> None:
    np.testing.assert_array_equal(read_mask(split(Visa, visa, "pcb1", "test")[0], SHAPE), MASK > 0)


def test_errors_name_what_is_missing(visa: Path) -> None:
    file = visa / "split_csv/1cls.csv"
    with pytest.raises(InputError, match=r"1cls\.csv: no row with object cashew and split train"):
        split(Visa, visa, "cashew", "train")
    (visa / "candle/Data/Masks/Anomaly/000.png").unlink()
    with pytest.raises(InputError, match=r"Anomaly/000\.JPG: its mask is missing; looked for .*Masks/Anomaly/000\.png"):
        split(Visa, visa, "candle", "test")
    text = file.read_text()
    for wrong, label in (("pcb1,test,good,a.JPG,", "good"), ("pcb1,test", "")):
        file.write_text(f"{text}{wrong}\n")
        with pytest.raises(InputError, match=rf"1cls\.csv:10: the label is '{label}'; expected normal or anomaly"):
            split(Visa, visa, "candle", "train")
    file.write_text(text.replace("object,", "category,"))
    with pytest.raises(InputError, match=r"1cls\.csv: the columns are \['category', .*; expected object, split,"):
        split(Visa, visa, "candle", "train")
