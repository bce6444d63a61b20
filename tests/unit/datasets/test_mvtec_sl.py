"""MVTec SL AD: the defect types of MVTec AD divided into structural and logical ones, and a whole trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pybench.datasets.mvtec_sl import MvtecSl, SlOptions
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.logical import SIZE, square, trial


@pytest.fixture
def mvtec(tmp_path: Path) -> Path:
    grey = np.full((SIZE, SIZE), 99)
    for category, types in {"cable": ("bent_wire", "cable_swap", "missing_cable"), "pill": ("color",)}.items():
        for name in (
            "train/good/000",
            "train/good/001",
            "test/good/000",
            *(f"test/{kind}/00{i}" for kind in types for i in (0, 1)),
        ):
            pictures.save(tmp_path / "mvtec_ad" / category / f"{name}.png", grey)
            if name.startswith("test") and "good" not in name:
                mask = tmp_path / "mvtec_ad" / category / f"{name.replace('test', 'ground_truth')}_mask.png"
                pictures.save(mask, square(3, 3, 9, 255))
    return tmp_path


def sl_types(root: Path, category: str, **logical: tuple[str, ...]) -> list[str]:
    options = SlOptions(logical=logical) if logical else SlOptions()
    test = MvtecSl(MvtecSl.locate(root), options, 0).split(category, "test")
    return [sample.defect_type for sample in test]


def test_reads_mvtec_ad_and_tells_the_kinds_apart(mvtec: Path) -> None:
    types = ["structural/bent_wire"] * 2 + ["logical/cable_swap"] * 2 + ["good"] + ["logical/missing_cable"] * 2
    assert sl_types(mvtec, "cable") == types
    assert sl_types(mvtec, "pill") == ["structural/color"] * 2 + ["good"]
    train = MvtecSl(MvtecSl.locate(mvtec), SlOptions(), 0).split("cable", "train")
    assert {sample.defect_type for sample in train} == {"good"}
    with pytest.raises(InputError, match=r"mvtec_sl: no data root given .*mvtec_ad/<category>"):
        MvtecSl.locate(None)


def test_takes_single_images_and_refuses_what_is_not_there(mvtec: Path) -> None:
    assert sl_types(mvtec, "pill", pill=("color/001",)) == ["structural/color", "logical/color", "good"]
    assert sl_types(mvtec, "cable", pill=("color",))[2] == "structural/cable_swap"
    with pytest.raises(InputError, match=r"option `logical`: color/002 is no defect type below .*pill/test"):
        sl_types(mvtec, "pill", pill=("color/002",))
    with pytest.raises(ValidationError, match="unknown category 'cabel'; did you mean 'cable'"):
        SlOptions(logical={"cabel": ("cable_swap",)})


def test_a_trial_on_sl(mvtec: Path, plugins: Path, tmp_path: Path) -> None:
    record = trial(mvtec, plugins, tmp_path, "mvtec_sl", "cable", "input")
    assert record.status == "ok", record.reason
    assert record.metrics["image_auroc_sl_mean"] == 0.5, "all images are alike"
    record = trial(mvtec, plugins, tmp_path, "mvtec_sl", "pill", "input")
    assert record.metrics["image_auroc_structural"] == 0.5
    assert record.undefined["image_auroc_logical"] == "the test set has no logical anomaly"
    assert record.undefined["image_auroc_sl_mean"] == "the test set has no logical anomaly"
