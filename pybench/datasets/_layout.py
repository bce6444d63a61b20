"""What the datasets share: the two parts, images in folders, messages on missing data, a random share of the files."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from pybench.images.decoding import IMAGE_SUFFIXES, Alpha
from pybench.types import Dataset, DatasetInfo, InputError, Part, Sample


class TrainTestDataset(Dataset):
    """A dataset with the parts ``train`` and ``test`` only."""

    def split(self, category: str, part: Part) -> list[Sample]:
        """See ``Dataset.split``."""
        if part == "train":
            return self.train_part(category)
        if part == "test":
            return self.test_part(category)
        raise InputError(f"{self.info.name} has no part '{part}'; it has train and test")

    @abstractmethod
    def train_part(self, category: str) -> list[Sample]:
        """The normal images to fit on; errors are those of ``split``."""

    @abstractmethod
    def test_part(self, category: str) -> list[Sample]:
        """The normal and the anomalous images to test on; errors are those of ``split``."""


def find_images(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted by name; other files and hidden ones are left out.

    Raises:
        InputError: the folder is not there.
    """
    files = (file for file in _entries(folder) if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    return sorted(files, key=lambda file: file.name)


def image_files(folder: Path) -> list[Path]:
    """``find_images``, where at least one is expected.

    Raises:
        InputError: the folder is not there, or holds no image.
    """
    files = find_images(folder)
    if not files:
        expected = ", ".join(f"*{suffix}" for suffix in IMAGE_SUFFIXES)
        raise InputError(f"{folder}: no images here; expected files named {expected}")
    return files


def subfolders(folder: Path) -> list[Path]:
    """Folders directly in a folder, sorted by name, without hidden ones.

    Raises:
        InputError: the folder is not there.
    """
    return sorted((path for path in _entries(folder) if path.is_dir()), key=lambda path: path.name)


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def require_folder(info: DatasetInfo, folder: Path) -> None:
    """See that a folder of the owner's layout is there.

    Raises:
        InputError: it is not, so the data is not on this disk.
    """
    if not folder.is_dir():
        raise missing_data(info, f"the folder {folder}")


def missing_data(info: DatasetInfo, wanted: str) -> InputError:
    """The error for data that is not on this disk; ``wanted`` names what was looked for."""
    return InputError(f"{info.name}: the data is not there: looked for {wanted}. {info.how_to_get}")


def normal_samples(folder: Path, alpha: Alpha) -> list[Sample]:
    """The images directly in a folder, all of them normal.

    Raises:
        InputError: there are none.
    """
    return [Sample(image, alpha=alpha) for image in image_files(folder)]


def existing_mask(image: Path, mask: Path) -> Path:
    """The mask of a defective image.

    Raises:
        InputError: it is not there.
    """
    if not mask.is_file():
        raise InputError(f"{image}: its mask is missing; looked for {mask}")
    return mask


def draw(files: Sequence[Path], count: int, seed: int) -> set[Path]:
    """``count`` of the files at random: the first ones of ``shuffled``."""
    return set(shuffled(files, seed)[:count])


def shuffled(files: Sequence[Path], seed: int) -> list[Path]:
    """The files in a random order: by a seeded hash of their names, the same on every machine."""
    return sorted(files, key=lambda file: hashlib.sha256(f"{seed}/{file.name}".encode()).digest())


def split_normal(images: Sequence[Path], share: float, seed: int, alpha: Alpha, *, training: bool) -> list[Sample]:
    """One side of a split of our own, where there is no published one: ``share`` of the normal images train, drawn by
    the seed, and the others are tested on.

    Raises:
        InputError: one side would be empty.
    """
    count = round(share * len(images))
    if not 0 < count < len(images):
        where = f"{images[0].parent}: " if images else ""
        purpose = f"to train on {share:.0%} of them and to test on the others"
        raise InputError(f"{where}normal images found: {len(images)}, too few {purpose}")
    drawn = draw(images, count, seed)
    return [Sample(image, alpha=alpha) for image in images if (image in drawn) == training]
