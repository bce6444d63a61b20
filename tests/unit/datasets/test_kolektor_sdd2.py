"""KolektorSDD2: the authors' split, labels from the masks, and the copies that their archive holds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.kolektor_sdd2 import STRAY, KolektorSdd2
from pybench.images.loading import read_mask
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split

NAME = "kolektor_sdd2"


@pytest.fixture
def kolektor(tmp_path: Path) -> Path:
    """Four images a part, of which the last has a defect, and the stray copies."""
    for part, first in (("train", 10300), ("test", 20000)):
        for number in range(first, first + 4):
            pictures.save(tmp_path / part / f"{number}.png", GREY)
            pictures.save(tmp_path / part / f"{number}_GT.png", MASK // 3 * (number == first + 3))
    for name in STRAY:
        pictures.save(tmp_path / "train" / name, GREY)
    return tmp_path


def test_the_authors_split(kolektor: Path) -> None:
    train, test = split(KolektorSdd2, kolektor, NAME, "train"), split(KolektorSdd2, kolektor, NAME, "test")
    assert names(train) == ["train/10300.png", "train/10301.png", "train/10302.png"]
    assert names(test) == [f"test/{number}.png" for number in range(20000, 20004)]
    assert [sample.label for sample in train + test] == [0] * 6 + [1]
    assert test[-1].defect_type == "defective"
    np.testing.assert_array_equal(read_mask(test[-1], SHAPE), MASK > 0)


def test_what_is_missing(kolektor: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"looked for the folder .*nowhere/test.*vicos\.si/resources/kolektorsdd2/"):
        split(KolektorSdd2, tmp_path / "nowhere", NAME, "test")
    (kolektor / "test/20001_GT.png").unlink()
    with pytest.raises(InputError, match=r"20001\.png: its mask is missing; looked for .*20001_GT\.png"):
        split(KolektorSdd2, kolektor, NAME, "test")
    for number in range(10300, 10303):
        for name in (f"{number}.png", f"{number}_GT.png"):
            (kolektor / "train" / name).unlink()
    with pytest.raises(InputError, match="train: every mask has a defect, so no image is left to fit on"):
        split(KolektorSdd2, kolektor, NAME, "train")
    (kolektor / "train/10303.png").unlink()
    with pytest.raises(InputError, match=r"train: no images here; expected files named 10000\.png"):
        split(KolektorSdd2, kolektor, NAME, "train")


def test_damaged_mask_is_named(kolektor: Path) -> None:
    (kolektor / "test/20002_GT.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"20002_GT\.png: not an image that can be read"):
        split(KolektorSdd2, kolektor, NAME, "test")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_images() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / NAME
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    train, test = split(KolektorSdd2, root, NAME, "train"), split(KolektorSdd2, root, NAME, "test")
    assert (len(train), len(test), sum(sample.label for sample in test)) == (2085, 1004, 110)
