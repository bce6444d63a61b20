"""Real-IAD: split files, sizes, views without a mask, and the errors where something is missing or wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pybench.datasets.real_iad import DEFECT_TYPES, RealIad, RealIadOptions
from pybench.images.loading import read_mask
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, MASK, SHAPE, names


def entry(kind: str, number: int, view: int, masked: bool = True) -> dict[str, Any]:
    """An entry of a split file; normal images have no mask."""
    folder, middle = ("OK", "OK") if kind == "OK" else (f"NG/{kind}", f"NG_{kind}")
    image = f"{folder}/S{number:04}/toy_{number:04}_{middle}_C{view}_2023.jpg"
    mask = image.replace(".jpg", ".png") if kind != "OK" and masked else None
    return {"category": "toy", "anomaly_class": kind, "image_path": image, "mask_path": mask}


SINGLE = {
    "meta": {"prefix": "toy/", "normal_class": "OK"},
    "train": [entry("OK", 2, 1), entry("OK", 1, 1)],
    "test": [entry("OK", 3, 1), entry("ZW", 1, 1), entry("AK", 1, 1)],
}
ALL = {**SINGLE, "test": [*SINGLE["test"], entry("AK", 1, 2, masked=False)]}


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    write_splits(tmp_path / "realiad_jsons_sv", SINGLE)
    write_splits(tmp_path / "realiad_jsons", ALL)
    for one in [*ALL["train"], *ALL["test"]]:
        pictures.save(tmp_path / "realiad_1024/toy" / one["image_path"], GREY)
        if one["mask_path"]:
            pictures.save(tmp_path / "realiad_1024/toy" / one["mask_path"], MASK)
    return tmp_path


def write_splits(folder: Path, content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.json").write_text(content if isinstance(content, str) else json.dumps(content))


def toy(root: Path, part: Any, **options: Any) -> list[Sample]:
    return RealIad(root, RealIadOptions(**options), 0).split("toy", part)


def test_thirty_categories() -> None:
    categories = RealIad.info.categories
    assert len(categories) == 30
    assert list(categories) == sorted(set(categories))


def test_single_view_by_the_split_file(toys: Path) -> None:
    train, test = toy(toys, "train"), toy(toys, "test")
    assert names(train) == ["S0001/toy_0001_OK_C1_2023.jpg", "S0002/toy_0002_OK_C1_2023.jpg"]
    assert not any(sample.label for sample in train)
    assert [(sample.label, sample.defect_type) for sample in test] == [(1, "pit"), (1, "contamination"), (0, "good")]
    assert test[0].masks == (test[0].image.with_suffix(".png"),)
    np.testing.assert_array_equal(read_mask(test[0], SHAPE), MASK > 0)


def test_a_view_that_does_not_show_the_defect_is_normal(toys: Path) -> None:
    test = toy(toys, "test", splits="realiad_jsons")
    assert [sample.label for sample in test] == [1, 0, 1, 0]
    assert test[1].image.name == "toy_0001_NG_AK_C2_2023.jpg"
    assert test[1].defect_type == "good"


def test_split_files_may_lie_in_a_folder_of_their_archive(toys: Path) -> None:
    expected = [toy(toys, "test"), toy(toys, "test", splits="realiad_jsons")]
    for name in ("realiad_jsons", "realiad_jsons_sv"):
        (toys / name).rename(toys / f"moved_{name}")
        (toys / f"moved_{name}/toy.json").rename(toys / f"{name}.json")
    for name in ("realiad_jsons", "realiad_jsons_sv"):
        write_splits(toys / "realiad_jsons" / name, (toys / f"{name}.json").read_text())
    assert [toy(toys, "test"), toy(toys, "test", splits="realiad_jsons")] == expected


def test_sizes(toys: Path) -> None:
    (toys / "realiad_1024").rename(toys / "realiad_256")
    [first, *_] = toy(toys, "test", images="realiad_256")
    assert first.image.relative_to(toys).parts[:2] == ("realiad_256", "toy")
    with pytest.raises(InputError, match=r"looked for .*realiad_1024 \(there is realiad_256: choose it by the op"):
        toy(toys, "test")
    with pytest.raises(ValidationError):
        RealIadOptions(images="realiad_2048")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", DEFECT_TYPES)
def test_defect_types(toys: Path, kind: str) -> None:
    one = entry(kind, 7, 1)
    pictures.save(toys / "realiad_1024/toy" / one["mask_path"], MASK)
    write_splits(toys / "realiad_jsons_sv", {**SINGLE, "test": [one]})
    [sample] = toy(toys, "test")
    assert (sample.label, sample.defect_type) == (1, DEFECT_TYPES[kind])


def test_missing_files_are_named(toys: Path) -> None:
    mask = toys / "realiad_1024/toy" / SINGLE["test"][1]["mask_path"]
    mask.unlink()
    with pytest.raises(InputError, match=r"NG_ZW_C1_2023\.jpg: its mask is missing; looked for .*NG_ZW_C1_2023\.png"):
        toy(toys, "test")
    (toys / "realiad_jsons_sv/toy.json").unlink()
    with pytest.raises(
        InputError, match=r"looked for .*realiad_jsons_sv/toy\.json and .*realiad_jsons/realiad_jsons_sv"
    ):
        toy(toys, "train")
    (toys / "realiad_1024").rename(toys / "images")
    with pytest.raises(InputError, match=r"looked for the folder .*realiad_1024\. Ask its authors"):
        toy(toys, "train", splits="realiad_jsons")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"toy\.json: not a split file as in Real-IAD: the file: Invalid JSON"),
        ({"train": [], "test": []}, "not a split file as in Real-IAD: meta: Field required"),
        ({**SINGLE, "train": []}, r"toy\.json: names no images of toy for this part"),
        ({**SINGLE, "train": [entry("XX", 1, 1)]}, r"train\.0\.anomaly_class: Input should be 'OK', 'AK'"),
        ({**SINGLE, "train": [entry("OK", 1, 1), entry("HS", 4, 1)]}, r"train\.1: .*is of class HS; expected normal"),
    ],
)
def test_split_files_that_cannot_be_used(toys: Path, content: Any, message: str) -> None:
    write_splits(toys / "realiad_jsons_sv", content)
    with pytest.raises(InputError, match=message):
        toy(toys, "train")


@pytest.mark.skipif("PYBENCH_DATA" not in os.environ, reason="PYBENCH_DATA does not name a data root")
def test_real_images() -> None:
    root = Path(os.environ["PYBENCH_DATA"]) / "real_iad"
    if not root.is_dir():
        pytest.skip(f"{root} is not there")
    train, test = toy(root, "train"), toy(root, "test")
    assert train
    assert {sample.label for sample in test} == {0, 1}
