"""The datasets' layouts, splits and messages."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from pybench import registry
from pybench.datasets.folder import Folder, FolderOptions
from pybench.datasets.magnetic_tile import DEFECT_TYPES, MagneticTile
from pybench.datasets.mvtec_ad import CATEGORIES, OBJECTS, TEXTURES, MvtecAd
from pybench.datasets.mvtec_ad_standin import MvtecAdStandin, StandinOptions
from pybench.images.loading import fingerprint, read_image, read_mask
from pybench.types import Dataset, DatasetOptions, InputError, Sample
from tests.unit import pictures

GREY = np.full((4, 5), 99)
MASK = np.eye(4, 5) * 255


def names(samples: list[Sample]) -> list[str]:
    return [f"{sample.image.parent.name}/{sample.image.name}" for sample in samples]


# --- mvtec_ad --------------------------------------------------------------------------------------------------------


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


def test_mvtec_has_ten_objects_and_five_textures() -> None:
    assert (len(OBJECTS), len(TEXTURES)) == (10, 5)
    assert MvtecAd.info.categories == CATEGORIES == tuple(sorted({*OBJECTS, *TEXTURES}))


def test_mvtec_train(mvtec: MvtecAd) -> None:
    train = mvtec.split("screw", "train")
    assert names(train) == ["good/000.png", "good/001.png"]
    assert {(sample.label, sample.defect_type, sample.masks, sample.alpha) for sample in train} == {
        (0, "good", (), "black")
    }


def test_mvtec_test(mvtec: MvtecAd) -> None:
    test = mvtec.split("screw", "test")
    assert names(test) == ["bent/000.png", "bent/001.png", "crack/000.png", "good/000.png"]
    assert [sample.label for sample in test] == [1, 1, 1, 0]
    assert [sample.defect_type for sample in test] == ["bent", "bent", "crack", "good"]
    assert test[1].masks == (mvtec.root / "screw/ground_truth/bent/001_mask.png",)
    mask = read_mask(test[1], read_image(test[1]).shape[:2])
    np.testing.assert_array_equal(mask, MASK > 0)


def test_other_and_hidden_files_are_passed_over(mvtec: MvtecAd) -> None:
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


def test_no_validation_part(mvtec: MvtecAd, tmp_path: Path) -> None:
    standin = MvtecAdStandin(tmp_path, StandinOptions(), 0)
    tiles = MagneticTile(tmp_path, DatasetOptions(), 0)
    for dataset in (mvtec, standin, tiles):
        category = "magnetic_tile" if dataset is tiles else "screw"
        with pytest.raises(InputError, match=f"{dataset.info.name} has no part 'validation'"):
            dataset.split(category, "validation")


# --- mvtec_ad_standin ------------------------------------------------------------------------------------------------


def test_standin_is_drawn_on_first_use(tmp_path: Path) -> None:
    options = StandinOptions(train=2, test_good=1, test_per_defect=1, size=64, seed=3)
    dataset = MvtecAdStandin(tmp_path / "new", options, data_seed=0)
    train, test = dataset.split("bottle", "train"), dataset.split("bottle", "test")
    assert len(train) == 2
    counts = Counter(sample.defect_type for sample in test)
    assert counts["good"] == 1
    assert len(counts) >= 5
    assert set(counts.values()) == {1}
    assert read_image(train[0]).shape == (64, 64, 3)
    for sample in test:
        mask = read_mask(sample, (64, 64))
        assert mask is not None
        assert mask.any() == bool(sample.label)
    folder = train[0].image.relative_to(tmp_path / "new").parts[0]
    assert folder.endswith("-train2-good1-defect1-size64-seed3")


def test_standin_is_drawn_once(tmp_path: Path) -> None:
    dataset = MvtecAdStandin(tmp_path, StandinOptions(train=2, test_good=1, test_per_defect=1, size=64), data_seed=0)
    image = dataset.split("wood", "train")[0].image
    pictures.save(image, np.zeros((64, 64)))
    assert not read_image(dataset.split("wood", "train")[0]).any()


def test_standin_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    dataset = MvtecAdStandin(tmp_path / "file", StandinOptions(train=2, size=64), data_seed=0)
    with pytest.raises(InputError, match="the stand-in for wood cannot be written here"):
        dataset.split("wood", "train")


# --- magnetic_tile ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    for kind, count in zip(("Free", *DEFECT_TYPES), (20, 1, 2, 1, 1, 1), strict=True):
        for i in range(count):
            pictures.save(tmp_path / f"MT_{kind}/Imgs/exp1_num_{i}.jpg", GREY)
            pictures.save(tmp_path / f"MT_{kind}/Imgs/exp1_num_{i}.png", MASK * (kind not in ("Free", "Uneven")))
    return tmp_path


def tile_split(root: Path, part: Any, seed: int = 0) -> list[Sample]:
    return MagneticTile(root, DatasetOptions(), seed).split("magnetic_tile", part)


def test_tiles_train_on_80_percent_of_the_free_ones(tiles: Path) -> None:
    train, test = tile_split(tiles, "train"), tile_split(tiles, "test")
    assert len(train) == 16
    assert not any(sample.label for sample in train)
    normal = [sample for sample in test if not sample.label]
    assert len(normal) == 4
    everything = {sample.image for sample in train + normal}
    assert everything == set((tiles / "MT_Free/Imgs").glob("*.jpg"))
    expected = {"blowhole": 1, "break": 2, "crack": 1, "fray": 1, "uneven": 1, "good": 4}
    assert Counter(sample.defect_type for sample in test) == expected


def test_tiles_split_follows_the_data_seed(tiles: Path) -> None:
    assert tile_split(tiles, "train", 1) == tile_split(tiles, "train", 1)
    splits = {tuple(names(tile_split(tiles, "train", seed))) for seed in range(5)}
    assert len(splits) == 5
    for split in splits:
        assert list(split) == sorted(split)


def test_tile_masks_lie_beside_their_images(tiles: Path) -> None:
    by_type = {sample.defect_type: sample for sample in tile_split(tiles, "test")}
    assert by_type["break"].masks[0].name == by_type["break"].image.with_suffix(".png").name
    np.testing.assert_array_equal(read_mask(by_type["break"], (4, 5)), MASK > 0)
    assert read_mask(by_type["uneven"], (4, 5)) is None  # its mask is empty
    mask = by_type["crack"].masks[0]
    mask.unlink()
    with pytest.raises(InputError, match=r"exp1_num_0\.jpg: its mask is missing; looked for .*exp1_num_0\.png"):
        tile_split(tiles, "test")


def test_missing_tiles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"looked for the folder .*MT_Free.*github\.com/abin24"):
        tile_split(tmp_path, "train")
    (tmp_path / "MT_Free/Imgs").mkdir(parents=True)
    with pytest.raises(InputError, match="no images here"):
        tile_split(tmp_path, "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_tiles() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "magnetic_tile"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    train, test = tile_split(root, "train"), tile_split(root, "test")
    assert (len(train), len(test)) == (762, 190 + 392)
    assert len(fingerprint(train + test)) == 16
    masks = [read_mask(sample, read_image(sample).shape[:2]) for sample in test if sample.label]
    assert sum(mask is None for mask in masks) == 4
    regions = sum(ndimage.label(mask, np.ones((3, 3)))[1] for mask in masks if mask is not None)
    assert regions == 462


# --- folder ----------------------------------------------------------------------------------------------------------


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
    assert all(read_mask(sample, (4, 5)) is None for sample in bad)


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


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.names("dataset"))
def test_unknown_options_are_refused(name: str) -> None:
    dataset: type[Dataset] = registry.load("dataset", name)
    with pytest.raises(ValidationError, match="speling"):
        dataset.Options.model_validate({"normal": "a", "defective": "b", "speling": 1})


@pytest.mark.parametrize("name", registry.names("dataset"))
def test_info_is_complete(name: str) -> None:
    dataset: type[Dataset] = registry.load("dataset", name)
    info = dataset.info
    assert dataset.__module__ == f"pybench.datasets.{info.name}"
    assert info.title
    assert info.licence
    assert info.how_to_get
    assert info.citation.year
