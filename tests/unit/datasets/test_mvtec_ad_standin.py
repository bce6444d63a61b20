"""The stand-in for MVTec AD as a data set: drawn on first use, once, in the cache folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.mvtec_ad_standin import MvtecAdStandin, StandinOptions
from pybench.images.loading import read_image, read_mask
from pybench.types import InputError
from tests.unit import pictures


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
