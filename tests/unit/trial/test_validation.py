"""Validation sets from normal images alone: what is held out, and the synthetic anomalies that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pybench.images.loading import annotation, read_image
from pybench.spec import TrialSpec
from pybench.trial.samples import load_samples
from pybench.trial.validation import SYNTHETIC, hold_out, synthetic_anomalies
from pybench.types import InputError, Sample


def test_synthetic_anomalies_change_an_image_inside_their_masks_only(
    make_spec: Callable[..., TrialSpec], data_root: Path
) -> None:
    loaded = load_samples(make_spec(), data_root)
    for normal, anomalous in zip([loaded.test[0]] * 3 + [loaded.test[1]] * 3, loaded.test[2:], strict=True):
        assert anomalous.defect_type == SYNTHETIC == "spoilt"
        mask = annotation(anomalous)
        assert mask is not None
        assert 16 <= mask.sum() < mask.size
        changed = np.abs(read_image(anomalous) - read_image(normal)).max(2)
        assert (changed[mask] > 0.04).mean() > 0.5
        assert (changed[~mask] < 1e-6).all()


def test_a_set_is_drawn_once_and_by_the_data_seed(make_spec: Callable[..., TrialSpec], data_root: Path) -> None:
    first = load_samples(make_spec(), data_root).test
    files = {sample.image: sample.image.stat().st_mtime_ns for sample in first}
    again = load_samples(make_spec(method="slow", seed=3), data_root).test
    assert again == first
    assert files == {sample.image: sample.image.stat().st_mtime_ns for sample in again}
    assert load_samples(make_spec(data_seed=1), data_root).test != first


def test_elongated_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    pixels = np.full((20, 90, 3), 128, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "long.png")
    anomalous, *_ = synthetic_anomalies([Sample(tmp_path / "long.png")], seed=1)
    mask = annotation(anomalous)
    assert mask is not None
    assert mask.shape == (20, 90)
    assert np.ptp(np.flatnonzero(mask.any(0))) < 20


def test_too_few_images_are_named() -> None:
    with pytest.raises(InputError, match="2 training images: a validation set needs at least 3"):
        hold_out([Sample(Path("a")), Sample(Path("b"))], 0)
