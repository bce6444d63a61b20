"""A validation set made of normal images alone: some that are held out of training, and spoilt copies of them.

The copies are files of their own with masks, so that fingerprints, decoding and metrics treat them as any others:

<cache>/validation/<key>/spoilt/0000.png   a copy; 8-bit RGB
<cache>/validation/<key>/masks/0000.png    where it is spoilt, white on black

A set is drawn once on a machine, by a seed that depends on the data only, and appears complete or not at all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from pybench.disk import source_hash
from pybench.disk.compute_once import locked
from pybench.disk.paths import cache_folder
from pybench.hashing import digest
from pybench.images.loading import fingerprint, read_image
from pybench.training.textures import Textures
from pybench.training.varied_defects import varied_defects
from pybench.types import InputError, Sample

SPOILT = "spoilt"  # the copies' defect type
HELD_OUT_SHARE = 0.25  # of the training images
COPIES = 3  # of each held-out image
_LEAST_PIXELS = 16  # of a defect: what is smaller may be lost when masks are brought to a model's input
_LEAST_SHARE = 1 / 2000  # of the image that a defect covers


def hold_out(train: Sequence[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """Part normal samples, each in their order: those to train on, and a quarter, at least one, that is held out.

    Raises:
        InputError: fewer than three samples.
    """
    if len(train) < 3:
        raise InputError(f"{len(train)} training images: a validation set needs at least 3, two of them to train on")
    count = max(1, round(HELD_OUT_SHARE * len(train)))
    held_out = set(np.random.default_rng(seed).choice(len(train), count, replace=False).tolist())
    kept = [sample for index, sample in enumerate(train) if index not in held_out]
    return kept, [train[index] for index in sorted(held_out)]


def spoilt_copies(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Three spoilt copies of each normal sample: files in the cache folder, drawn where they are not there yet.

    Raises:
        InputError: an image cannot be read, or the cache folder cannot be written.
    """
    code = source_hash.digest(source_hash.with_imports(Path(__file__)))
    samples = [sample for sample in samples for _ in range(COPIES)]
    folder = cache_folder() / "validation" / digest([fingerprint(samples), seed, code])
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            try:
                _draw(folder, samples, seed)
            except OSError as error:
                raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return [
        replace(
            sample,
            image=folder / SPOILT / f"{index:04}.png",
            label=1,
            defect_type=SPOILT,
            masks=(folder / "masks" / f"{index:04}.png",),
            mask_threshold=128,
            saturations=(),
        )
        for index, sample in enumerate(samples)
    ]


def _draw(folder: Path, samples: Sequence[Sample], seed: int) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in (SPOILT, "masks"):
            (unfinished / name).mkdir()
        for index, (image, mask) in enumerate(_spoilt(samples, seed)):
            Image.fromarray(image).save(unfinished / SPOILT / f"{index:04}.png", compress_level=1)
            Image.fromarray(mask).save(unfinished / "masks" / f"{index:04}.png")
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _spoilt(samples: Sequence[Sample], seed: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """For each sample the pixels [H, W, 3] of its spoilt copy, and the mask [H, W] of 0 and 255."""
    random = np.random.default_rng(seed)
    textures: dict[int, Textures] = {}  # by their side
    for sample in samples:
        image = torch.from_numpy(read_image(sample).transpose(2, 0, 1).copy())
        height, width = image.shape[-2:]
        side = min(height, width)
        # Defects are drawn on squares: of a longer image, on one at a random place.
        top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
        square = np.s_[..., top : top + side, left : left + side]
        mask = torch.zeros(height, width, dtype=torch.bool)
        image[square], mask[square] = _one_defect(
            image[square].clone(), random, textures.setdefault(side, Textures(None, side))
        )
        pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8)
        yield pixels.numpy(), mask.to(torch.uint8).mul(255).numpy()


def _one_defect(square: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """A spoilt square and its mask; the recipe leaves some images whole, and is asked again for those."""
    while True:
        spoilt, masks = varied_defects(square[None], random, textures)
        mask = torch.from_numpy(_as_annotated(masks[0].numpy()))
        if mask.any():
            return torch.where(mask, spoilt[0], square), mask


def _as_annotated(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What changed, as a person would mark it: gaps closed and specks left out.

    A metric that counts regions, as AUPRO does, would else see little but specks, where a texture or a blur happens to
    come near the image here and there.
    """
    reach = max(1, len(changed) // 64)
    closed = ndimage.binary_closing(np.pad(changed, reach), iterations=reach)[reach:-reach, reach:-reach]
    regions, _ = ndimage.label(closed, np.ones((3, 3)))
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = sizes[regions] >= max(_LEAST_PIXELS, _LEAST_SHARE * changed.size)
    return kept
