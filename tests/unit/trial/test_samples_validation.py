"""Samples of trials that are evaluated on a validation set: no test label is read. All that are read are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybench.datasets.folder import Folder
from pybench.images.loading import fingerprint
from pybench.spec import Protocol, RtoOptions, TrialSpec
from pybench.trial.samples import check_samples, labels_read, load_samples
from pybench.types import Sample


def test_the_test_set_is_not_asked_for(
    make_spec: Callable[..., TrialSpec], data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Folder.split

    def guarded(self: Folder, category: str, part: Any) -> list[Sample]:
        assert part != "test"
        return split(self, category, part)

    monkeypatch.setattr(Folder, "split", guarded)
    before = labels_read()
    check_samples(make_spec(), data_root)
    loaded = load_samples(make_spec(), data_root)
    assert labels_read() == before
    assert len(loaded.train) == 6
    assert [sample.label for sample in loaded.test] == [0, 0, *[1] * 6]
    assert loaded.remarks == ["measured on held-out normal images and synthetic anomalies on them, not on the test set"]
    assert not {sample.image for sample in loaded.train} & {sample.image for sample in loaded.test}


def test_test_labels_are_counted(make_spec: Callable[..., TrialSpec], data_root: Path) -> None:
    before = labels_read()
    oracle = load_samples(make_spec(evaluate_on="oracle"), data_root)
    assert labels_read() == before + 6
    ordinary = load_samples(make_spec(evaluate_on="test"), data_root)
    assert labels_read() == before + 12
    assert fingerprint(oracle.test) == fingerprint(ordinary.test)
    assert ordinary.remarks == []
    assert "(oracle)" in oracle.remarks[0]


def test_limits_and_warps_apply(make_spec: Callable[..., TrialSpec], data_root: Path) -> None:
    limited = load_samples(make_spec(protocol=Protocol(train_images=4, test_images=2)), data_root)
    assert len(limited.train) == 4
    assert [sample.label for sample in limited.test] == [0, 1]
    warped = load_samples(make_spec(rto=RtoOptions(rotation=30, crop=0.8)), data_root)
    assert all(sample.warp is not None for sample in warped.test)


def test_a_data_sets_own_validation_part_is_taken(
    make_spec: Callable[..., TrialSpec], data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Folder.split
    monkeypatch.setattr(Folder, "has_validation", True)
    extra = [Sample(path) for path in sorted((data_root / "plate" / "ok").glob("*.png"))[:3]]
    monkeypatch.setattr(
        Folder, "split", lambda self, category, part: extra if part == "validation" else split(self, category, part)
    )
    loaded = load_samples(make_spec(), data_root)
    assert loaded.test[:3] == extra
    assert len(loaded.test) == 3 + 9
    assert len(loaded.train) == 8, "nothing is held out where there is a validation part"
