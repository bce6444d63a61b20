"""What holds for every data set: its parts, its options, and its description."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pybench import registry
from pybench.datasets.btad import Btad
from pybench.datasets.dagm import Dagm
from pybench.datasets.magnetic_tile import MagneticTile
from pybench.datasets.mstc import Mstc
from pybench.datasets.mvtec_ad import MvtecAd
from pybench.datasets.mvtec_ad_standin import MvtecAdStandin
from pybench.datasets.visa import Visa
from pybench.types import Dataset, InputError
from tests.unit.datasets.layouts import split


@pytest.mark.parametrize(
    ("dataset", "count"), [(Mstc, 12), (Visa, 12), (Btad, 3), (Dagm, 10)], ids=["mstc", "visa", "btad", "dagm"]
)
def test_missing_data_says_where_and_how(dataset: type[Dataset], count: int, tmp_path: Path) -> None:
    assert len(dataset.info.categories) == count
    for part in ("train", "test"):
        with pytest.raises(InputError, match=rf"{dataset.info.name}: the data is not there: looked for .*{tmp_path}"):
            split(dataset, tmp_path, dataset.info.categories[0], part)
    (tmp_path / "01").mkdir()
    with pytest.raises(InputError, match=f"{dataset.info.name} has no part 'validation'"):
        split(dataset, tmp_path, dataset.info.categories[0], "validation")


@pytest.mark.parametrize("dataset", [MvtecAd, MvtecAdStandin, MagneticTile])
def test_no_validation_part(dataset: type[Dataset], tmp_path: Path) -> None:
    (tmp_path / "screw").mkdir()
    with pytest.raises(InputError, match=f"{dataset.info.name} has no part 'validation'; it has train and test"):
        split(dataset, tmp_path, "screw", "validation")


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
