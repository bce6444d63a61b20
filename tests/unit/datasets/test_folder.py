"""One's own folders: roles, masks, held-out images, and the errors where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pybench.datasets.folder import Folder, FolderOptions
from pybench.images.loading import read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for i in range(10):
        pictures.save(tmp_path / f"nut/ok/{i}.bmp", GREY)
    for name in ("dent/a", "dent/b", "scratch/a"):
        pictures.save(tmp_path / f"nut/nok/{name}.jpg", GREY)
        pictures.save(tmp_path / f"nut/masks/{name}{'_mask' if name == 'dent/b' else ''}.png", MASK)
    return tmp_path


def folder_split(root: Path, part: Any, seed: int = 0, **options: Any) -> list[Sample]:
    options = {"normal": "{category}/ok", "defective": "{category}/nok", **options}
    return Folder(root, FolderOptions(**options), seed).split("nut", part)


def test_own_folders_with_masks(own: Path) -> None:
    test = folder_split(own, "test", masks="{category}/masks", mask_threshold=7, alpha="white")
    bad = [sample for sample in test if sample.label]
    assert names(bad) == ["dent/a.jpg", "dent/b.jpg", "scratch/a.jpg"]
    assert [sample.defect_type for sample in bad] == ["dent", "dent", "scratch"]
    assert [sample.masks[0].relative_to(own).as_posix() for sample in bad] == [
        "nut/masks/dent/a.png",
        "nut/masks/dent/b_mask.png",
        "nut/masks/scratch/a.png",
    ]
    assert {(sample.mask_threshold, sample.alpha) for sample in bad} == {(7, "white")}


def test_a_share_of_the_normal_images_is_held_out(own: Path) -> None:
    train = folder_split(own, "train", test_share=0.3)
    good = [sample for sample in folder_split(own, "test", test_share=0.3) if not sample.label]
    assert (len(train), len(good)) == (7, 3)
    assert {sample.image for sample in train + good} == set((own / "nut/ok").iterdir())
    assert len({tuple(names(folder_split(own, "train", seed))) for seed in range(5)}) > 1


def test_one_normal_image_is_held_out_at_least_and_one_kept(own: Path) -> None:
    assert len(folder_split(own, "train", test_share=0.001)) == 9
    assert len(folder_split(own, "train", test_share=0.999)) == 1


def test_a_folder_of_normal_test_images(own: Path) -> None:
    pictures.save(own / "ok_test/x.png", GREY)
    assert len(folder_split(own, "train", test_normal="ok_test")) == 10
    good = [sample for sample in folder_split(own, "test", test_normal="ok_test") if not sample.label]
    assert names(good) == ["ok_test/x.png"]


def test_without_masks_there_is_no_annotation(own: Path) -> None:
    bad = [sample for sample in folder_split(own, "test") if sample.label]
    assert len(bad) == 3
    assert all(read_mask(sample, SHAPE) is None for sample in bad)


def test_defective_images_without_sub_folders(own: Path) -> None:
    pictures.save(own / "flat/1.png", GREY)
    pictures.save(own / "flat/masks/1.png", MASK)
    test = folder_split(own, "test", defective="flat", masks="flat/masks")
    [bad] = [sample for sample in test if sample.label]
    assert bad.defect_type == "defective"
    assert bad.masks == (own / "flat/masks/1.png",)


def test_absolute_folders(own: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert len(folder_split(elsewhere, "train", normal=str(own / "nut/ok"), defective=str(own / "nut/nok"))) == 8


def test_missing_masks_are_named(own: Path) -> None:
    (own / "nut/masks/dent/b_mask.png").unlink()
    with pytest.raises(
        InputError, match=r"1 of 2 images of .*nok/dent have no mask .* here: b\.jpg\. Add them, or leave"
    ):
        folder_split(own, "test", masks="nut/masks")


def test_two_masks_for_one_image(own: Path) -> None:
    pictures.save(own / "nut/masks/dent/a_mask.png", MASK)
    with pytest.raises(
        InputError, match=r"dent/a\.jpg: has more than one mask: .*a\.png, .*a_mask\.png|a_mask\.png, .*a\.png"
    ):
        folder_split(own, "test", masks="nut/masks")


def test_missing_and_doubly_used_folders(own: Path) -> None:
    with pytest.raises(InputError, match=r"folder: option `defective` names .*nut/bad, which is no folder"):
        folder_split(own, "train", defective="{category}/bad")
    with pytest.raises(InputError, match="options `normal` and `test_normal` both name"):
        folder_split(own, "train", test_normal="nut/../nut/ok")


def test_empty_and_single_image_folders(own: Path) -> None:
    (own / "none").mkdir()
    with pytest.raises(InputError, match="none: no images here"):
        folder_split(own, "test", defective="none")
    pictures.save(own / "single/1.png", GREY)
    with pytest.raises(
        InputError, match="single: one image only; add more, or name normal test images in `test_normal`"
    ):
        folder_split(own, "train", normal="single")
