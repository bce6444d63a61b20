"""A validation set from normal images alone: some are held out of training, and synthetic anomalies are drawn on them.

Images with synthetic anomalies are files with masks, so that fingerprints, decoding and metrics treat them like others:

<cache>/validation/<key>/spoilt/0000.png   a held-out image with a synthetic anomaly; 8-bit RGB
<cache>/validation/<key>/masks/0000.png    its mask, white on black

A set is drawn once on a machine, from a seed that depends on the data only. Its folder is renamed into place when it is
complete, so no other process sees a part of it.
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

from pybench.disk.compute_once import locked
from pybench.disk.paths import cache_folder
from pybench.disk.source_hash import hash_with_imports
from pybench.hashing import json_hash
from pybench.images.loading import fingerprint, read_image
from pybench.training.textures import Textures
from pybench.training.varied_defects import varied_defects
from pybench.types import InputError, Sample

SYNTHETIC = "spoilt"  # defect type and folder; the word stays because fingerprints and records depend on it
HELD_OUT_SHARE = 0.25  # of the training images
COPIES = 3  # images with synthetic anomalies for each held-out image
_LEAST_PIXELS = 16  # of a defect: a smaller one may be lost when masks are resized to a model's input
_LEAST_SHARE = 1 / 2000  # of the image that a defect covers


def hold_out(train: Sequence[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """Divide normal samples into those to train on and those that are held out: a quarter of them, at least one.

    Both lists keep the order of the samples.

    Raises:
        InputError: fewer than three samples.
    """
    if len(train) < 3:
        raise InputError(f"{len(train)} training images: a validation set needs at least 3, two of them to train on")
    count = max(1, round(HELD_OUT_SHARE * len(train)))
    held_out = set(np.random.default_rng(seed).choice(len(train), count, replace=False).tolist())
    kept = [sample for index, sample in enumerate(train) if index not in held_out]
    return kept, [train[index] for index in sorted(held_out)]


def synthetic_anomalies(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Three images with a synthetic anomaly for each normal sample. They are drawn into the cache folder if they are
    not there yet.

    Raises:
        InputError: an image cannot be read, or the cache folder cannot be written.
    """
    code = hash_with_imports(Path(__file__))
    samples = [sample for sample in samples for _ in range(COPIES)]
    folder = cache_folder() / "validation" / json_hash([fingerprint(samples), seed, code])
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            try:
                _draw(folder, samples, seed)
            except OSError as error:
                raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return [
        replace(
            sample,
            image=folder / SYNTHETIC / f"{index:04}.png",
            label=1,
            defect_type=SYNTHETIC,
            masks=(folder / "masks" / f"{index:04}.png",),
            mask_threshold=128,
            saturations=(),
        )
        for index, sample in enumerate(samples)
    ]


def _draw(folder: Path, samples: Sequence[Sample], seed: int) -> None:
    """Draw a set into a temporary folder, which is then renamed."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in (SYNTHETIC, "masks"):
            (temporary / name).mkdir()
        for index, (image, mask) in enumerate(_with_anomalies(samples, seed)):
            Image.fromarray(image).save(temporary / SYNTHETIC / f"{index:04}.png", compress_level=1)
            Image.fromarray(mask).save(temporary / "masks" / f"{index:04}.png")
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _with_anomalies(samples: Sequence[Sample], seed: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """For each sample its pixels [H, W, 3] with a synthetic anomaly, and the mask [H, W] of 0 and 255."""
    random = np.random.default_rng(seed)
    textures: dict[int, Textures] = {}  # by their side
    for sample in samples:
        image = torch.from_numpy(read_image(sample).transpose(2, 0, 1).copy())
        height, width = image.shape[-2:]
        side = min(height, width)
        # Defects are drawn on squares. An elongated image gets its defect in a square at a random place.
        top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
        square = np.s_[..., top : top + side, left : left + side]
        mask = torch.zeros(height, width, dtype=torch.bool)
        image[square], mask[square] = _one_anomaly(
            image[square].clone(), random, textures.setdefault(side, Textures(None, side))
        )
        pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8)
        yield pixels.numpy(), mask.to(torch.uint8).mul(255).numpy()


def _one_anomaly(square: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
    """The square [3, S, S] with a synthetic anomaly, and its mask [S, S].

    The recipe draws no defect on some images; it is then called again.
    """
    while True:
        changed, masks = varied_defects(square[None], random, textures)
        mask = torch.from_numpy(_as_annotated(masks[0].numpy()))
        if mask.any():
            return torch.where(mask, changed[0], square), mask


def _as_annotated(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask [S, S] of changed pixels as an annotator would draw it: gaps are closed, and specks are left out.

    A texture or a blur is at some pixels close to the image by chance, which divides a defect into specks. Without this
    step, metrics that count regions, such as AUPRO, would measure mostly specks.
    """
    reach = max(1, len(changed) // 64)
    closed = ndimage.binary_closing(np.pad(changed, reach), iterations=reach)[reach:-reach, reach:-reach]
    regions, _ = ndimage.label(closed, np.ones((3, 3)))
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = sizes[regions] >= max(_LEAST_PIXELS, _LEAST_SHARE * changed.size)
    return kept
