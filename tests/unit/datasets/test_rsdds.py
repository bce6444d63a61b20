"""RSDDs: all strips are defective, and the user brings the normal ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pybench.datasets.rsdds import Rsdds
from pybench.images.loading import read_image, read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import names

SHAPE = (50, 8)
GREY = np.full(SHAPE, 99)
BLOCK = np.zeros(SHAPE, dtype=np.int64)
BLOCK[16:32] = 255  # on the edges of JPEG's blocks, so that the mask survives
NORMAL = "own/{category}"


@pytest.fixture
def rails(tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        folder = tmp_path / "Type-I RSDDs dataset"
        pictures.save(folder / f"Rail surface images/rail_{number}.jpg", GREY)
        pictures.save(folder / f"GroundTruth/rail_{number}.jpg", BLOCK)
    for number in range(10):
        pictures.save(tmp_path / f"own/Type-I/{number}.png", GREY)
    return tmp_path


def rail_split(root: Path, part: Any, seed: int = 0, normal: str | None = NORMAL) -> list[Sample]:
    return Rsdds(root, Rsdds.Options.model_validate({"normal": normal}), seed).split("Type-I", part)


def test_normal_strips_are_the_users(rails: Path) -> None:
    train, test = rail_split(rails, "train"), rail_split(rails, "test")
    assert len(train) == 8
    assert names(test)[:3] == [f"Rail surface images/rail_{number}.jpg" for number in (1, 10, 2)]
    labels = [(sample.label, sample.defect_type) for sample in test]
    assert labels == [(1, "defective")] * 3 + [(0, "good")] * 2
    assert {sample.image for sample in train + test[3:]} == set((rails / "own/Type-I").iterdir())
    assert rail_split(rails, "train", 1) == rail_split(rails, "train", 1)
    assert len({tuple(names(rail_split(rails, "train", seed))) for seed in range(5)}) > 1


def test_masks_are_jpeg(rails: Path) -> None:
    np.testing.assert_array_equal(read_mask(rail_split(rails, "test")[0], SHAPE), BLOCK > 0)


@pytest.mark.parametrize("part", ["train", "test"])
def test_without_normal_strips_it_says_why(rails: Path, part: str) -> None:
    with pytest.raises(
        InputError, match=r"Type-I RSDDs .*every strip of RSDDs has a defect.*option `normal`.*`folder`"
    ):
        rail_split(rails, part, normal=None)


@pytest.mark.parametrize(
    ("normal", "message"),
    [
        ("none", r"option `normal` names .*none, which is no folder"),
        ("{category} RSDDs dataset/Rail surface images", r"option `normal` names .*images, whose strips have defects"),
    ],
)
def test_what_is_wrong_with_the_option(rails: Path, normal: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rail_split(rails, "train", normal=normal)


def test_missing_files(rails: Path) -> None:
    (rails / "Type-I RSDDs dataset/GroundTruth/rail_2.jpg").unlink()
    with pytest.raises(InputError, match=r"images/rail_2\.jpg: its mask is missing; looked for .*GroundTruth/rail_2"):
        rail_split(rails, "test")
    with pytest.raises(InputError, match=r"rsdds: the data is not there: looked for the folder .*Type-I RSDDs dataset"):
        rail_split(rails / "elsewhere", "train")
    for strip in list((rails / "own/Type-I").iterdir())[2:]:
        strip.unlink()
    with pytest.raises(InputError, match=r"Type-I: normal images found: 2, too few to train on 80% of them"):
        rail_split(rails, "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
@pytest.mark.parametrize(("category", "count"), [("Type-I", 67), ("Type-II", 128)])
def test_real_rails(category: str, count: int, tmp_path: Path) -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "rsdds"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    for number in range(3):
        pictures.save(tmp_path / f"{number}.png", GREY)
    options = Rsdds.Options.model_validate({"normal": str(tmp_path)})
    strips = [sample for sample in Rsdds(root, options, 0).split(category, "test") if sample.label]
    assert len(strips) == count
    assert all(read_mask(sample, read_image(sample).shape[:2]) is not None for sample in strips)
