"""MVTec SL AD's stand-in: which procedural defects are logical."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.datasets.mvtec_sl_standin import LOGICAL, MvtecSlStandin
from pybench.datasets.standin.catalogue import CATEGORIES as STANDIN_CATEGORIES


def test_the_stand_in_has_logical_defects_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for category, logical in LOGICAL.items():
        assert set(logical) < set(STANDIN_CATEGORIES[category].defects)
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    folder = MvtecSlStandin.locate(None)
    assert folder.name == "mvtec_ad_standin"
    options = MvtecSlStandin.Options(train=2, test_good=1, test_per_defect=1, size=64)
    kinds = [sample.defect_type.split("/")[0] for sample in MvtecSlStandin(folder, options, 0).split("cable", "test")]
    assert sorted(kinds) == ["good", "logical", "logical", *["structural"] * 4]
