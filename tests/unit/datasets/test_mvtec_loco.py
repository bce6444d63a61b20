"""MVTec LOCO AD: its layout, defects that overlap and saturate, and a whole trial."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from pybench.datasets.mvtec_loco import MvtecLoco
from pybench.images.loading import fingerprint, read_defects, read_mask
from pybench.report.data_check import check
from pybench.types import DatasetOptions, InputError, Sample, Saturation, Warp
from tests.unit import pictures
from tests.unit.datasets.logical import SIZE, square, trial

CONFIG = [
    {"defect_name": "missing", "pixel_value": 255, "saturation_threshold": 100, "relative_saturation": False},
    {"defect_name": "scratch", "pixel_value": 254, "saturation_threshold": 0.5, "relative_saturation": True},
]


@pytest.fixture
def loco(tmp_path: Path) -> Path:
    """A data root with a category in MVTec's layout: the defects of its logical image overlap."""
    folder = tmp_path / "mvtec_loco" / "pushpins"
    generator = np.random.default_rng(0)

    def picture(name: str, masks: list[NDArray[np.int64]]) -> None:
        image = generator.integers(80, 120, (SIZE, SIZE, 3))
        for mask in masks:
            image[mask > 0] = 250
        pictures.save(folder / f"{name}.png", image)

    for number in range(4):
        picture(f"train/good/{number:03}", [])
    for number in range(2):
        picture(f"validation/good/{number:03}", [])
        picture(f"test/good/{number:03}", [])
    for kind, masks in {
        "logical": [square(8, 8, 20, 255), square(16, 16, 24, 255)],
        "structural": [square(40, 4, 8, 254)],
    }.items():
        picture(f"test/{kind}_anomalies/000", masks)
        for number, mask in enumerate(masks):
            pictures.save(folder / f"ground_truth/{kind}_anomalies/000/{number:03}.png", mask)
    (folder / "defects_config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def loco_split(root: Path, part: Any) -> list[Sample]:
    return MvtecLoco(root / "mvtec_loco", DatasetOptions(), 0).split("pushpins", part)


def test_parts(loco: Path) -> None:
    assert [len(loco_split(loco, part)) for part in ("train", "validation", "test")] == [4, 2, 4]
    assert not any(sample.label for part in ("train", "validation") for sample in loco_split(loco, part))
    test = loco_split(loco, "test")
    assert [sample.image for sample in test] == sorted(sample.image for sample in test)
    assert [sample.defect_type for sample in test] == ["good", "good", "logical", "structural"]
    assert [[mask.name for mask in sample.masks] for sample in test] == [[], [], ["000.png", "001.png"], ["000.png"]]


def test_saturation_follows_the_grey_value_of_each_mask(loco: Path) -> None:
    logical, structural = loco_split(loco, "test")[2:]
    assert logical.saturations == (Saturation(255, 100, False), Saturation(254, 0.5, True))
    (first, share_of_first), (second, share_of_second) = read_defects(logical, (SIZE, SIZE))
    assert (first.sum(), second.sum(), (first & second).sum()) == (400, 576, 144)
    assert (share_of_first, share_of_second) == (100 / 400, 100 / 576)
    [(_, share)] = read_defects(structural, (SIZE, SIZE))
    assert share == 0.5
    np.testing.assert_array_equal(read_mask(logical, (SIZE, SIZE)), first | second)


@pytest.mark.parametrize(
    ("threshold", "relative", "expected"),
    [(10_000, False, 1.0), (0.99, True, 63 / 64), (0.001, True, 1 / 64), (1.0, True, 1.0)],
)
def test_saturation_is_whole_pixels_between_one_and_all(
    loco: Path, threshold: float, relative: bool, expected: float
) -> None:
    config = {**CONFIG[1], "saturation_threshold": threshold, "relative_saturation": relative}
    (loco / "mvtec_loco/pushpins/defects_config.json").write_text(json.dumps([config]))
    [(_, share)] = read_defects(loco_split(loco, "test")[3], (SIZE, SIZE))
    assert share == expected


def test_defects_are_warped_as_their_image_is(loco: Path) -> None:
    sample = loco_split(loco, "test")[3]
    warped = replace(sample, warp=Warp(0, (0, 0, 0.9, 0.9), "edge"))
    [(defect, share)] = read_defects(warped, (SIZE, SIZE))
    np.testing.assert_array_equal(defect, read_mask(warped, (SIZE, SIZE)))
    assert (share, defect.sum()) == (0.5, 81)


def test_normal_samples_and_other_datasets_have_no_defects_apart(loco: Path) -> None:
    good, _, _, structural = loco_split(loco, "test")
    assert read_defects(good, (SIZE, SIZE)) == []
    plain = Sample(structural.image, 1, "x", structural.masks)
    assert read_defects(plain, (SIZE, SIZE)) == []


def test_saturations_are_part_of_the_fingerprint(loco: Path) -> None:
    before = fingerprint(loco_split(loco, "test"))
    assert fingerprint(loco_split(loco, "test")) == before
    changed = [CONFIG[0], {**CONFIG[1], "saturation_threshold": 0.25}]
    (loco / "mvtec_loco/pushpins/defects_config.json").write_text(json.dumps(changed))
    assert fingerprint(loco_split(loco, "test")) != before


def test_errors_name_what_is_missing(loco: Path) -> None:
    folder = loco / "mvtec_loco/pushpins"
    with pytest.raises(
        InputError, match=r"mvtec_loco: the data is not there: looked for the folder .*screw_bag.*mvtec-loco"
    ):
        MvtecLoco(loco / "mvtec_loco", DatasetOptions(), 0).split("screw_bag", "train")
    mask = folder / "ground_truth/structural_anomalies/000/000.png"
    pictures.save(mask, square(0, 0, 5, 7))
    with pytest.raises(InputError, match=r"000\.png: drawn with the grey values \[7\]; expected one of 254, 255"):
        read_defects(loco_split(loco, "test")[3], (SIZE, SIZE))
    pictures.save(mask, square(0, 0, 5, 254)[:8])
    with pytest.raises(InputError, match="the mask is 64x8 pixels but its image"):
        read_defects(loco_split(loco, "test")[3], (SIZE, SIZE))
    mask.unlink()
    with pytest.raises(
        InputError, match=r"structural_anomalies/000\.png: its masks are missing; looked for .*/000/000\.png"
    ):
        loco_split(loco, "test")
    (folder / "defects_config.json").write_text('[{"pixel_value": "white"}]')
    with pytest.raises(InputError, match=r"defects_config\.json: not a list of defects as in MVTec LOCO AD"):
        loco_split(loco, "test")
    for threshold, relative in ((30, True), (float("nan"), False)):
        config = [{"pixel_value": 255, "saturation_threshold": threshold, "relative_saturation": relative}]
        (folder / "defects_config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=r"defects_config\.json: not a list .*\n0.*\n.*(at most 1, got 30|finite)"):
            loco_split(loco, "test")
    (folder / "defects_config.json").unlink()
    with pytest.raises(InputError, match=r"defects_config\.json: cannot be read: No such file"):
        loco_split(loco, "test")


def test_data_check_names_a_mask_that_names_no_defect(loco: Path) -> None:
    def checked() -> tuple[Any, list[str]]:
        [row], problems = check("mvtec_loco", loco, ["pushpins"], {}, Console(quiet=True))
        return row["annotated"], problems

    assert checked() == (2, [])
    mask = loco / "mvtec_loco/pushpins/ground_truth/logical_anomalies/000/001.png"
    pictures.save(mask, square(0, 0, 5, 253))
    annotated, [problem] = checked()
    assert annotated == 1
    assert problem.startswith(f"{mask}: drawn with the grey values [253]")


@pytest.mark.parametrize("at", ["image", "input"])
def test_a_trial_on_loco(loco: Path, plugins: Path, tmp_path: Path, at: str) -> None:
    record = trial(loco, plugins, tmp_path, "mvtec_loco", "pushpins", at)
    assert record.status == "ok", record.reason
    assert record.by_defect_type.keys() == {"logical", "structural"}
    by_kind = [record.by_defect_type[kind] for kind in ("structural", "logical")]
    for name, mean in (("image_auroc", "image_auroc_sl_mean"), ("auspro_05", "auspro_05")):
        values = [values[name] for values in by_kind]
        assert record.metrics[mean] == pytest.approx(sum(value or 0 for value in values) / 2)
    assert record.metrics["image_auroc_logical"] == record.by_defect_type["logical"]["image_auroc"] == 1
    assert record.metrics["auspro_05"] is not None
    assert record.metrics["aupro_05"] is not None
    assert record.metrics["auspro_05"] >= record.metrics["aupro_05"] > 0.8, "saturation asks for less of each defect"


def test_a_defect_that_has_no_pixel_at_the_input_is_counted(loco: Path, plugins: Path, tmp_path: Path) -> None:
    mask = square(1, 1, 1, 255)  # the input has every second row and column, from 1 on: 1, 3, 5 ...
    folder = loco / "mvtec_loco/pushpins/ground_truth/logical_anomalies/000"
    assert trial(loco, plugins, tmp_path, "mvtec_loco", "pushpins", "input").counts["regions_lost"] == 0
    pictures.save(folder / "002.png", np.roll(mask, 1, axis=0))
    record = trial(loco, plugins, tmp_path, "mvtec_loco", "pushpins", "input")
    assert record.counts["regions_lost"] == 1
    assert trial(loco, plugins, tmp_path, "mvtec_loco", "pushpins", "image").counts["regions_lost"] == 0
