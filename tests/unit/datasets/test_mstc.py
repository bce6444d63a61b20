"""mSTC: every fifth frame of a scene, masks as frames of an array, and the errors where something is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pybench.datasets.mstc import Mstc
from pybench.images.loading import fingerprint, read_mask
from pybench.types import InputError
from tests.unit import pictures
from tests.unit.datasets.layouts import GREY, SHAPE, names, split


@pytest.fixture
def mstc(tmp_path: Path) -> Path:
    """Two training clips of scene 01; a test clip of 12 frames of which 5 to 10 are abnormal, and one of scene 02."""
    for clip, frames in (("training/frames/01_001", 6), ("training/frames/01_002", 5), ("testing/frames/01_0014", 12)):
        for frame in range(frames):
            pictures.save(tmp_path / clip / f"{frame:03}.jpg", GREY)
    pictures.save(tmp_path / "testing/frames/02_0001/000.jpg", GREY)
    labels, masks = np.zeros(12, np.int8), np.zeros((12, *SHAPE), np.uint8)
    labels[5:11] = 1
    for frame in range(5, 10):
        masks[frame, frame - 5 : frame - 3] = 1
    for folder, array in (("test_frame_mask", labels), ("test_pixel_mask", masks)):
        (tmp_path / "testing" / folder).mkdir()
        np.save(tmp_path / "testing" / folder / "01_0014.npy", array)
    return tmp_path


def test_takes_every_fifth_frame_of_a_scene(mstc: Path) -> None:
    assert names(split(Mstc, mstc, "01", "train")) == ["01_001/000.jpg", "01_001/005.jpg", "01_002/000.jpg"]
    test = split(Mstc, mstc, "01", "test")
    assert names(test) == ["01_0014/000.jpg", "01_0014/005.jpg", "01_0014/010.jpg"]
    assert [(sample.label, sample.defect_type) for sample in test] == [(0, "good"), (1, "event"), (1, "event")]


def test_masks_are_frames_of_a_clip(mstc: Path) -> None:
    _, abnormal, unmarked = split(Mstc, mstc, "01", "test")
    expected = np.zeros(SHAPE, bool)
    expected[:2] = True
    np.testing.assert_array_equal(read_mask(abnormal, SHAPE), expected)
    assert read_mask(unmarked, SHAPE) is None, "its event is marked nowhere"
    before = fingerprint([abnormal])
    file = abnormal.masks[0]
    np.save(file, np.load(file)[::-1])
    assert fingerprint([abnormal]) != before


def test_frames_are_in_order_beyond_a_thousand(mstc: Path) -> None:
    for frame in (999, 1000, 1001, 1002, 1003):
        pictures.save(mstc / f"training/frames/01_003/{frame}.jpg", GREY)
    assert names(split(Mstc, mstc, "01", "train"))[-1] == "01_003/999.jpg"


def test_errors_name_what_is_missing(mstc: Path) -> None:
    with pytest.raises(InputError, match=r"training/frames: no clips of scene 03 here; expected folders named 03_\*"):
        split(Mstc, mstc, "03", "train")
    with pytest.raises(InputError, match=r"test_frame_mask/02_0001\.npy: no such file"):
        split(Mstc, mstc, "02", "test")
    labels, masks = (mstc / f"testing/test_{kind}_mask/01_0014.npy" for kind in ("frame", "pixel"))
    sample = split(Mstc, mstc, "01", "test")[1]
    np.save(labels, np.zeros(11))
    with pytest.raises(InputError, match=r"01_0014\.npy: labels of shape \[11\], but .*01_0014 has 12 frames"):
        split(Mstc, mstc, "01", "test")
    np.save(labels, np.ones(12))
    np.save(masks, np.ones((5, *SHAPE)))
    with pytest.raises(InputError, match=r"shape \[5, 6, 8\]; expected \[frames, height, width\] with a frame 5"):
        read_mask(sample, SHAPE)
    np.save(masks, np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"01_0014\.npy: cannot be read as a NumPy array"):
        read_mask(sample, SHAPE)
    masks.unlink()
    with pytest.raises(InputError, match=r"000\.jpg: its mask is missing; looked for .*test_pixel_mask/01_0014\.npy"):
        split(Mstc, mstc, "01", "test")
    (mstc / "training/frames").rename(mstc / "training/videos")
    with pytest.raises(
        InputError, match=r"looked for the folder .*training/frames.*ffmpeg -i training/videos/<clip>\.avi"
    ):
        split(Mstc, mstc, "01", "train")
