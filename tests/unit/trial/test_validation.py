"""Validation sets made of normal images: what is drawn, what is read, and that the keys of other trials stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pybench import registry
from pybench.datasets.folder import Folder
from pybench.images.loading import annotation, fingerprint, read_image
from pybench.results.store import Store
from pybench.spec import Protocol, RtoOptions, TrialSpec
from pybench.trial.code_version import code_version
from pybench.trial.samples import check_samples, labels_read, load_samples
from pybench.trial.validation import SPOILT, hold_out, spoilt_copies
from pybench.types import InputError, Sample

KEPT = Path(__file__).parents[1] / "results" / "kept_records" / "v1" / "smoke"
OPTIONS = {"normal": "{category}/ok", "defective": "{category}/nok", "masks": "{category}/masks"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def make_spec(plugins: Path) -> Callable[..., TrialSpec]:
    registry.add_plugins(plugins)

    def make(**changes: Any) -> TrialSpec:
        fields = {
            "suite": "s", "dataset": "folder", "category": "lid", "dataset_options": OPTIONS, "method": "difference",
            "params": {}, "profile": "quick", "metrics": ("aupro_30",), "evaluate_on": "validation", **changes,
        }  # fmt: skip
        return TrialSpec(**fields)

    return make


def test_keys_of_ordinary_trials_are_what_they_were() -> None:
    (result,) = Store(KEPT).results()
    assert result.record.spec.evaluate_on == "test"
    assert result.record.spec.key() == result.record.key == "7a8e9cba02c72bce"
    assert result.latency is not None
    assert result.record.spec.latency_key() == result.latency.key
    keys = {
        (spec.key(), spec.latency_key())
        for on in ("test", "validation", "oracle")
        for spec in [result.record.spec.model_copy(update={"evaluate_on": on})]
    }
    assert len({key for key, _ in keys}) == len({key for _, key in keys}) == 3


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
    assert loaded.remarks == ["measured on held-out normal images and spoilt copies of them, not on the test set"]
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


def test_spoilt_copies_differ_from_their_images_where_their_masks_say(
    make_spec: Callable[..., TrialSpec], data_root: Path
) -> None:
    loaded = load_samples(make_spec(), data_root)
    for normal, spoilt in zip([loaded.test[0]] * 3 + [loaded.test[1]] * 3, loaded.test[2:], strict=True):
        assert spoilt.defect_type == SPOILT
        mask = annotation(spoilt)
        assert mask is not None
        assert 16 <= mask.sum() < mask.size
        changed = np.abs(read_image(spoilt) - read_image(normal)).max(2)
        assert (changed[mask] > 0.04).mean() > 0.5
        assert (changed[~mask] < 1e-6).all()


def test_a_set_is_drawn_once_and_by_the_data_seed(make_spec: Callable[..., TrialSpec], data_root: Path) -> None:
    first = load_samples(make_spec(), data_root).test
    files = {sample.image: sample.image.stat().st_mtime_ns for sample in first}
    again = load_samples(make_spec(method="slow", seed=3), data_root).test
    assert again == first
    assert files == {sample.image: sample.image.stat().st_mtime_ns for sample in again}
    assert load_samples(make_spec(data_seed=1), data_root).test != first


def test_elongated_images(tmp_path: Path) -> None:
    pixels = np.full((20, 90, 3), 128, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "long.png")
    spoilt, *_ = spoilt_copies([Sample(tmp_path / "long.png")], seed=1)
    mask = annotation(spoilt)
    assert mask is not None
    assert mask.shape == (20, 90)
    assert np.ptp(np.flatnonzero(mask.any(0))) < 20


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


def test_too_few_images_are_named() -> None:
    with pytest.raises(InputError, match="2 training images: a validation set needs at least 3"):
        hold_out([Sample(Path("a")), Sample(Path("b"))], 0)


def test_the_code_that_draws_counts_for_validation_only(make_spec: Callable[..., TrialSpec]) -> None:
    assert code_version(make_spec()) != code_version(make_spec(evaluate_on="test"))
    assert code_version(make_spec(evaluate_on="oracle")) == code_version(make_spec(evaluate_on="test"))
