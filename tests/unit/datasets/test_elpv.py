"""ELPV: the labels of the package, its cells by type, and what is said where it is not installed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pybench.datasets import elpv
from pybench.datasets.elpv import TYPES, Elpv, ElpvOptions
from pybench.images.loading import read_image
from pybench.types import InputError, Sample
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, names, split

LABELS = ["0.0"] * 10 + ["0.3333333333333333"] * 2 + ["0.6666666666666666"] + ["1.0"] * 3


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package's data: 16 cells of each type, the two types in turn."""
    lines = []
    for number, (label, kind) in enumerate([(label, kind) for label in LABELS for kind in TYPES], 1):
        pictures.save(tmp_path / f"images/cell{number:04}.png", GREY)
        lines.append(f"images/cell{number:04}.png  {label:20}{kind}\n")
    (tmp_path / "labels.csv").write_text("".join(lines))
    return tmp_path


def uncertain(root: Path, part: Any) -> list[Sample]:
    return Elpv(root, ElpvOptions(uncertain="test"), 0).split("mono", part)


@pytest.mark.parametrize("category", TYPES)
def test_cells_by_type(package: Path, category: str) -> None:
    train, test = split(Elpv, package, category, "train"), split(Elpv, package, category, "test")
    assert len(train) == 8
    assert not any(sample.label for sample in train)
    assert Counter((sample.label, sample.defect_type) for sample in test) == {(1, "defective"): 3, (0, "good"): 2}
    assert not any(sample.masks for sample in test)
    numbers = [int(sample.image.stem.removeprefix("cell")) for sample in train + test]
    assert len(set(numbers)) == 13
    assert {number % 2 for number in numbers} == {1 - TYPES.index(category)}


def test_split_follows_the_data_seed(package: Path) -> None:
    assert split(Elpv, package, "mono", "train", 1) == split(Elpv, package, "mono", "train", 1)
    assert len({tuple(names(split(Elpv, package, "mono", "train", seed))) for seed in range(5)}) > 1


def test_uncertain_cells_are_tested_where_an_option_says_so(package: Path) -> None:
    assert uncertain(package, "train") == split(Elpv, package, "mono", "train")
    counts = Counter((sample.label, sample.defect_type) for sample in uncertain(package, "test"))
    assert counts == {(1, "defective"): 3, (1, "probably_defective"): 1, (0, "good"): 2 + 2}


@pytest.mark.parametrize(
    "line", ["cell.png 0.5 mono", "cell.png nan mono", "cell.png inf mono", "cell.png 2.0 mono", "cell.png 0.0 thin",
             "cell.png 0.0", "cell.png,1,mono"]
)  # fmt: skip
def test_lines_that_are_not_understood(package: Path, line: str) -> None:
    with (package / "labels.csv").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(InputError, match=r"labels\.csv:34: '.*'; expected a path, a probability \(0, 1/3, 2/3 or 1\)"):
        split(Elpv, package, "mono", "test")


def test_missing_files(package: Path) -> None:
    (package / "images/cell0003.png").unlink()
    with pytest.raises(InputError, match=r"labels\.csv:3: no such image: .*cell0003\.png"):
        split(Elpv, package, "poly", "train")
    (package / "labels.csv").write_text("images/cell0001.png  1.0  mono\n")
    for category in TYPES:
        with pytest.raises(InputError, match=rf"labels\.csv: no {category} cell with probability 0"):
            split(Elpv, package, category, "train")
    (package / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"labels\.csv: the labels cannot be read: .*No such file"):
        split(Elpv, package, "mono", "train")


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(elpv, "MODULE", "no_such_package_of_cells")
    for data_root in (None, tmp_path):
        root = Elpv.locate(data_root)
        assert root.parts[-2:] == ("no_such_package_of_cells", "data")
        with pytest.raises(InputError, match=r"elpv: the data is not there: .*pip install elpv-dataset"):
            split(Elpv, root, "mono", "train")


@pytest.mark.skipif(not Elpv.locate(None).is_dir(), reason="the package elpv-dataset is not installed")
def test_real_package() -> None:
    root = Elpv.locate(None)
    sizes = {kind: [len(split(Elpv, root, kind, part)) for part in ("train", "test")] for kind in TYPES}
    assert sizes == {"mono": [470, 118 + 313], "poly": [736, 184 + 402]}
    assert len(uncertain(root, "test")) == 118 + 313 + 117 + 56
    assert read_image(split(Elpv, root, "poly", "train")[0]).shape == (300, 300, 3)
