"""Masks, decoded images and fingerprints."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pybench.images.loading import DecodedImages, fingerprint, read_defects, read_mask
from pybench.types import InputError, Sample, Saturation, Warp
from tests.unit import pictures


def anomalous(folder: Path, *masks: Path, **options: object) -> Sample:
    image = pictures.save(folder / "image.png", np.zeros((1, 4)))
    return Sample(image, label=1, defect_type="hole", masks=masks, **options)  # type: ignore[arg-type]


def mask_row(sample: Sample) -> list[bool]:
    mask = read_mask(sample, (1, 4))
    assert mask is not None
    assert mask.dtype == np.bool_
    return mask[0].tolist()


def test_normal_sample_has_no_defective_pixel(tmp_path: Path) -> None:
    mask = read_mask(Sample(tmp_path / "a.png"), (3, 5))
    assert mask is not None
    assert mask.shape == (3, 5)
    assert not mask.any()


def test_anomalous_sample_without_annotation(tmp_path: Path) -> None:
    assert read_mask(anomalous(tmp_path), (1, 4)) is None
    assert read_mask(anomalous(tmp_path, pictures.save(tmp_path / "m.png", [[0, 0, 0, 0]])), (1, 4)) is None


def test_threshold_includes_itself(tmp_path: Path) -> None:
    mask = pictures.save(tmp_path / "m.png", [[127, 128, 129, 255]])
    assert mask_row(anomalous(tmp_path, mask)) == [False, True, True, True]
    assert mask_row(anomalous(tmp_path, mask, mask_threshold=129)) == [False, False, True, True]


def test_16_bit_masks_are_compared_as_8_bit(tmp_path: Path) -> None:
    values = np.array([[255, 128 * 257 - 1, 128 * 257, 65535]], dtype=np.uint16)
    mask = pictures.save_png16(tmp_path / "m.png", values, pictures.PNG_GREY)
    assert mask_row(anomalous(tmp_path, mask)) == [False, False, True, True]


def test_masks_of_zeros_and_ones(tmp_path: Path) -> None:
    ones = pictures.save(tmp_path / "m.png", [[0, 1, 1, 0]])
    assert mask_row(anomalous(tmp_path, ones)) == [False, True, True, False]
    Image.fromarray(np.array([[False, True, False, True]])).save(tmp_path / "bits.png")
    assert mask_row(anomalous(tmp_path, tmp_path / "bits.png")) == [False, True, False, True]


def test_colour_masks_count_by_their_grey_value(tmp_path: Path) -> None:
    values = [[[128] * 3, [127] * 3, [255, 0, 0], [255, 255, 0]]]
    assert mask_row(anomalous(tmp_path, pictures.save(tmp_path / "m.png", values))) == [True, False, False, True]


def test_several_masks_are_united(tmp_path: Path) -> None:
    masks = [pictures.save(tmp_path / f"{i}.png", [np.eye(4)[i] * 255]) for i in (0, 2)]
    assert mask_row(anomalous(tmp_path, *masks)) == [True, False, True, False]


def test_mask_drawn_on_transparent_ground(tmp_path: Path) -> None:
    clear, white = [255, 255, 255, 0], [255, 255, 255, 255]
    mask = pictures.save(tmp_path / "m.png", [[clear, white, white, clear]])
    with pytest.raises(InputError, match=r"m\.png: has an alpha channel"):
        mask_row(anomalous(tmp_path, mask))
    assert mask_row(anomalous(tmp_path, mask, alpha="white")) == [False, True, True, False]


def test_mask_of_class_numbers_is_refused(tmp_path: Path) -> None:
    mask = pictures.save(tmp_path / "m.png", [[0, 1, 2, 3]])
    with pytest.raises(InputError, match=r"m\.png: .*reach 3 of 255, none the threshold 128; draw defects in white"):
        mask_row(anomalous(tmp_path, mask))
    assert mask_row(anomalous(tmp_path, mask, mask_threshold=1)) == [False, True, True, True]


def test_mask_of_another_size_names_both_sizes(tmp_path: Path) -> None:
    mask = pictures.save(tmp_path / "m.png", np.full((2, 4), 255))
    with pytest.raises(InputError, match=r"m\.png: the mask is 4x2 pixels but its image .*image\.png is 4x1"):
        read_mask(anomalous(tmp_path, mask), (1, 4))
    other = pictures.save(tmp_path / "n.png", np.full((1, 4), 255))
    with pytest.raises(InputError, match=r"m\.png: the mask is 4x2 pixels but .*n\.png is 4x1"):
        read_mask(anomalous(tmp_path, other, mask), (1, 4))


def test_the_mask_of_another_size_is_named_among_those_of_several_defects(tmp_path: Path) -> None:
    good = pictures.save(tmp_path / "good.png", [[0, 255, 255, 0]])
    tall = pictures.save(tmp_path / "tall.png", np.full((2, 4), 255))
    sample = anomalous(tmp_path, good, tall, saturations=(Saturation(255, 1, relative=True),))
    with pytest.raises(InputError, match=r"tall\.png: the mask is 4x2 pixels but its image .*image\.png is 4x1"):
        read_defects(sample, (1, 4))


def test_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.png: no such file"):
        read_mask(anomalous(tmp_path, tmp_path / "m.png"), (1, 4))


@pytest.fixture
def mixed_sizes(tmp_path: Path) -> list[Sample]:
    sizes = [(4, 6), (4, 6), (4, 6), (6, 4), (4, 6)]
    return [Sample(pictures.save(tmp_path / f"{i}.png", np.full(size, i * 10))) for i, size in enumerate(sizes)]


def test_items_are_tensors_channels_first(mixed_sizes: list[Sample]) -> None:
    images = DecodedImages(mixed_sizes)
    assert len(images) == 5
    assert images[1].shape == (3, 4, 6)
    assert images[1].dtype == torch.float32
    assert float(images[-1].max()) == pytest.approx(40 / 255)
    assert [float(image.max() * 255) for image in images[2:4]] == pytest.approx([20, 30])
    with pytest.raises(IndexError):
        images[5]


def test_batches_hold_neighbours_of_equal_shape(mixed_sizes: list[Sample]) -> None:
    batches = list(DecodedImages(mixed_sizes).batches(2))
    assert [tuple(batch.shape) for batch in batches] == [(2, 3, 4, 6), (1, 3, 4, 6), (1, 3, 6, 4), (1, 3, 4, 6)]
    first_pixels = torch.cat([batch[:, 0, 0, 0] for batch in batches]) * 255
    torch.testing.assert_close(first_pixels, torch.tensor([0.0, 10, 20, 30, 40]))


def test_images_are_decoded_only_when_asked_for(tmp_path: Path) -> None:
    images = DecodedImages([Sample(tmp_path / "gone.png")])
    with pytest.raises(InputError, match=r"gone\.png"):
        images[0]


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    image = pictures.save(tmp_path / "here" / "hole" / "a.png", [[1, 2, 3, 4]])
    mask = pictures.save(tmp_path / "here" / "masks" / "a.png", [[0, 0, 255, 255]])
    return Sample(image, label=1, defect_type="hole", masks=(mask,))


def test_fingerprint_does_not_depend_on_the_place(tmp_path: Path, sample: Sample) -> None:
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = tmp_path / "there"
    moved = replace(sample, image=there / "hole" / "a.png", masks=(there / "masks" / "a.png",))
    assert fingerprint([moved]) == fingerprint([sample])
    assert len(fingerprint([sample])) == 16


def test_fingerprint_changes_with_what_can_be_seen(sample: Sample) -> None:
    variants = [
        replace(sample, label=0),
        replace(sample, defect_type="crack"),
        replace(sample, masks=()),
        replace(sample, mask_threshold=1),
        replace(sample, alpha="white"),
        replace(sample, warp=Warp(10.0, (0, 0, 1, 1), "edge")),
        replace(sample, warp=Warp(10.0, (0, 0, 1, 1), "black")),
        replace(sample, image=sample.masks[0]),
    ]
    prints = {fingerprint([variant]) for variant in [sample, *variants]}
    assert len(prints) == len(variants) + 1
    assert fingerprint([sample, variants[0]]) != fingerprint([variants[0], sample])


@pytest.mark.parametrize("which", ["image", "mask"])
def test_fingerprint_notices_a_changed_file(sample: Sample, which: str) -> None:
    before = fingerprint([sample])
    changed = sample.image if which == "image" else sample.masks[0]
    status = changed.stat()
    pictures.save(changed, [[9, 9, 9, 9]])
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert fingerprint([sample]) != before


def test_fingerprint_names_a_missing_file(sample: Sample) -> None:
    sample.masks[0].unlink()
    with pytest.raises(InputError, match=r"masks/a\.png: no such file"):
        fingerprint([sample])
