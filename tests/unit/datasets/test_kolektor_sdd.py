"""KolektorSDD: folds by item, labels from the masks, and the authors' folds by option."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pybench.datasets.kolektor_sdd import FOLDS, FoldOptions, KolektorSdd
from pybench.images.loading import read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names, split

ITEMS = [f"kos{number:02}" for number in range(1, 9)]
OTHER_FOLDS = (("kos08", "kos01"), ("kos02", "kos03", "kos04"), ("kos05", "kos06", "kos07"))


@pytest.fixture
def kolektor(tmp_path: Path) -> Path:
    """Eight items of three parts, kos08 of two; Part1 of each has a defect, whose mask is grey."""
    for item in ITEMS:
        for part in range(2 if item == "kos08" else 3):
            pictures.save(tmp_path / item / f"Part{part}.jpg", GREY)
            pictures.save(tmp_path / item / f"Part{part}_label.bmp", MASK // 3 * (part == 1))
    return tmp_path


def of_folds(root: Path, category: str, part: Any, folds: Any = OTHER_FOLDS) -> list[Sample]:
    return KolektorSdd(root, FoldOptions(folds=folds), 0).split(category, part)


def items(samples: list[Sample]) -> set[str]:
    return {sample.image.parent.name for sample in samples}


def test_every_image_is_tested_once_and_no_item_is_in_both_parts(kolektor: Path) -> None:
    tested = []
    for category, count in zip(FOLDS, (3, 3, 2), strict=True):
        train, test = split(KolektorSdd, kolektor, category, "train"), split(KolektorSdd, kolektor, category, "test")
        assert (len(items(train)), len(items(test))) == (8 - count, count)
        assert not items(train) & items(test)
        assert not any(sample.label for sample in train)
        assert {sample.image.name for sample in train} == {"Part0.jpg", "Part2.jpg"}
        assert names(test) == sorted(names(test))
        tested += names(test)
    assert len(tested) == len(set(tested)) == 7 * 3 + 2


def test_labels_and_masks(kolektor: Path) -> None:
    for sample in split(KolektorSdd, kolektor, "fold_1", "test"):
        assert sample.label == (sample.image.name == "Part1.jpg")
        assert sample.defect_type == ("defective" if sample.label else "good")
        np.testing.assert_array_equal(read_mask(sample, SHAPE), MASK * sample.label > 0)


def test_a_mask_that_changes_is_read_again(kolektor: Path) -> None:
    before = sum(sample.label for sample in split(KolektorSdd, kolektor, "fold_0", "test"))
    mask = split(KolektorSdd, kolektor, "fold_0", "test")[0].image.with_name("Part0_label.bmp")
    pictures.save(mask, MASK)
    os.utime(mask, ns=(0, 1))
    assert sum(sample.label for sample in split(KolektorSdd, kolektor, "fold_0", "test")) == before + 1


def test_folds_follow_the_data_seed(kolektor: Path) -> None:
    folds = {tuple(sorted(items(split(KolektorSdd, kolektor, "fold_0", "test", seed)))) for seed in range(5)}
    assert len(folds) > 1


def test_folds_by_option(kolektor: Path) -> None:
    assert items(of_folds(kolektor, "fold_0", "test")) == {"kos01", "kos08"}
    assert items(of_folds(kolektor, "fold_2", "train")) == {"kos01", "kos02", "kos03", "kos04", "kos08"}
    with pytest.raises(InputError, match=r"option `folds` names kos01 2 times; each of the 8 items in .* in one fold"):
        of_folds(kolektor, "fold_0", "test", ((*OTHER_FOLDS[0], "kos01"), *OTHER_FOLDS[1:]))
    with pytest.raises(InputError, match="option `folds` names kos08 0 times"):
        of_folds(kolektor, "fold_0", "test", (("kos01",), *OTHER_FOLDS[1:]))
    with pytest.raises(InputError, match="option `folds` names kos51, which is no folder in"):
        of_folds(kolektor, "fold_0", "test", ((*OTHER_FOLDS[0], "kos51"), *OTHER_FOLDS[1:]))
    with pytest.raises(ValidationError):
        FoldOptions.model_validate({"folds": [["kos01"]]})


def test_what_is_missing(kolektor: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"looked for the folder .*nowhere.*vicos\.si/resources/kolektorsdd/"):
        split(KolektorSdd, tmp_path / "nowhere", "fold_0", "train")
    (tmp_path / "empty/KolektorSDD/kos01").mkdir(parents=True)
    with pytest.raises(InputError, match=r"looked for the folders kos01, kos02, \.\.\. in .*empty, and found 0"):
        split(KolektorSdd, tmp_path / "empty", "fold_0", "train")
    (kolektor / "kos01/Part1_label.bmp").unlink()
    with pytest.raises(InputError, match=r"Part1\.jpg: its mask is missing; looked for .*Part1_label\.bmp"):
        of_folds(kolektor, "fold_0", "test")
    for file in (kolektor / "kos01").glob("*.jpg"):
        file.unlink()
    with pytest.raises(InputError, match=r"kos01: no images here; expected files named Part0\.jpg"):
        of_folds(kolektor, "fold_0", "test")


def test_masks_that_leave_nothing_to_fit_on(kolektor: Path) -> None:
    for mask in kolektor.glob("*/*.bmp"):
        pictures.save(mask, MASK)
        os.utime(mask, ns=(0, 2))
    with pytest.raises(InputError, match="the items beside those of fold_0: every mask has a defect"):
        split(KolektorSdd, kolektor, "fold_0", "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_images() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "kolektor_sdd"
    if not (root / "kos01").is_dir():
        pytest.skip(f"{root} is not there in its owners' layout")
    test = [sample for fold in FOLDS for sample in split(KolektorSdd, root, fold, "test")]
    assert (len(test), sum(sample.label for sample in test)) == (399, 52)
