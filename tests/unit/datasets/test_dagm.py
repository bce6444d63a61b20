"""DAGM: defect-free images train, all images test, labels name the defective ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.dagm import Dagm
from pybench.images.loading import read_mask
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split


@pytest.fixture
def dagm(tmp_path: Path) -> Path:
    for part, defective in (("Train", (2,)), ("Test", (1, 3))):
        for number in range(1, 5):
            pictures.save(tmp_path / f"Class7/{part}/{number:04}.PNG", GREY)
        for number in defective:
            pictures.save(tmp_path / f"Class7/{part}/Label/{number:04}_label.PNG", MASK)
        (tmp_path / f"Class7/{part}/Label/Labels.txt").touch()
    return tmp_path


def test_trains_on_defect_free_images_and_tests_on_all(dagm: Path) -> None:
    train, test = split(Dagm, dagm, "Class7", "train"), split(Dagm, dagm, "Class7", "test")
    assert names(train) == ["Train/0001.PNG", "Train/0003.PNG", "Train/0004.PNG"]
    assert not any(sample.label for sample in train)
    assert names(test) == [f"Test/000{number}.PNG" for number in (1, 2, 3, 4)]
    assert Counter(sample.defect_type for sample in test) == {"defective": 2, "good": 2}
    assert [sample.label for sample in test] == [1, 0, 1, 0]
    np.testing.assert_array_equal(read_mask(test[2], SHAPE), MASK > 0)


def test_labels_must_be_there_and_have_an_image(dagm: Path) -> None:
    (dagm / "Class7/Test/0003.PNG").unlink()
    with pytest.raises(InputError, match=r"Test/Label: labels without an image: 0003; expected NNNN_label\.PNG"):
        split(Dagm, dagm, "Class7", "test")
    (dagm / "Class7/Train/Label/0002_label.PNG").unlink()
    with pytest.raises(InputError, match=r"Train/Label: no labels here; expected NNNN_label\.PNG"):
        split(Dagm, dagm, "Class7", "train")
