"""BTAD: the authors' layout, whose masks may be of another file type than their images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.btad import Btad
from pybench.images.loading import read_mask
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split


@pytest.fixture
def btad(tmp_path: Path) -> Path:
    for name in ("train/ok/0001", "train/ok/0000", "test/ok/0000", "test/ko/0000", "test/ko/0001"):
        pictures.save(tmp_path / f"03/{name}.bmp", GREY)
    pictures.save(tmp_path / "03/ground_truth/ko/0000.png", MASK)
    pictures.save(tmp_path / "03/ground_truth/ko/0001.bmp", MASK)
    return tmp_path


def test_masks_may_be_of_another_file_type(btad: Path) -> None:
    assert names(split(Btad, btad, "03", "train")) == ["ok/0000.bmp", "ok/0001.bmp"]
    test = split(Btad, btad, "03", "test")
    assert names(test) == ["ko/0000.bmp", "ko/0001.bmp", "ok/0000.bmp"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "defective"), (1, "defective"), (0, "good")]
    for sample in test[:2]:
        assert sample.masks[0].stem == sample.image.stem
        np.testing.assert_array_equal(read_mask(sample, SHAPE), MASK > 0)


def test_missing_mask_is_named(btad: Path) -> None:
    (btad / "03/ground_truth/ko/0001.bmp").unlink()
    with pytest.raises(InputError, match=r"ko/0001\.bmp: its mask is missing; looked for .*ground_truth/ko/0001\.png"):
        split(Btad, btad, "03", "test")
