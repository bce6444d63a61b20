"""Writes the stand-in in MVTec AD's own layout.

``<root>/<category>/train/good/000.png``, ``test/good/000.png``, ``test/<defect type>/000.png`` and
``ground_truth/<defect type>/000_mask.png`` (8 bit, 0 or 255).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from ...types import InputError
from .catalogue import CATEGORIES
from .category import Category, render

GENERATOR_VERSION = 2
"""Raised whenever the same arguments would give other pictures."""

MANIFEST = "standin.json"


def generate(
    root: Path, categories: Sequence[str], *, train: int, test_good: int, test_per_defect: int, size: int, seed: int
) -> None:
    """Write categories below ``root``; those that are there already, made with the same arguments, are left alone.

    A category appears complete or not at all: it is written to a folder beside its place and renamed. Where two
    processes write the same category at once, the first to finish wins and the other's work is dropped.

    Args:
        root: folder of the stand-in; created where missing.
        categories: names out of ``CATEGORIES``.
        train: normal images to train with.
        test_good: normal images to test with.
        test_per_defect: defective images of each defect type.
        size: side of the images in pixels.
        seed: the same seed gives the same bytes on every machine.

    Raises:
        InputError: unknown category, or a folder of that name was made otherwise (other arguments or generator).
    """
    unknown = sorted(set(categories) - set(CATEGORIES))
    if unknown:
        raise InputError(
            f"the stand-in has no category {', '.join(map(repr, unknown))}; it has {', '.join(CATEGORIES)}"
        )
    arguments = {"train": train, "test_good": test_good, "test_per_defect": test_per_defect, "size": size, "seed": seed}
    manifest = {"generator": GENERATOR_VERSION, **arguments}
    root.mkdir(parents=True, exist_ok=True)
    for name in categories:
        if not _complete(root / name, manifest):
            category = CATEGORIES[name]
            counts = {"train/good": train, "test/good": test_good}
            counts |= {f"test/{kind}": test_per_defect for kind in category.defects}
            _write(root / name, category, counts, manifest)


def _complete(folder: Path, manifest: dict[str, int]) -> bool:
    """Whether the category is there as the manifest says.

    Raises:
        InputError: it is there but was made otherwise.
    """
    if not folder.exists():
        return False
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        found = None
    if found != manifest:
        raise InputError(
            f"{folder}: was not generated with {manifest} but with {found}; remove it or choose another folder"
        )
    return True


def _write(folder: Path, category: Category, counts: dict[str, int], manifest: dict[str, int]) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{category.name}-", dir=folder.parent))
    try:
        for path, image in _images(category, counts, manifest["size"], manifest["seed"]):
            place = unfinished / path
            place.parent.mkdir(parents=True, exist_ok=True)
            image.save(place, compress_level=1)
        (unfinished / MANIFEST).write_text(json.dumps(manifest))
        unfinished.chmod(0o755)
        try:
            unfinished.rename(folder)
        except OSError:
            if not _complete(folder, manifest):
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _images(category: Category, counts: dict[str, int], size: int, seed: int) -> Iterator[tuple[str, Image.Image]]:
    """Every file of a category: its path within the category, and its picture."""
    for folder, count in counts.items():
        kind = folder.rsplit("/", 1)[1]
        for index in range(count):
            rendering = render(category, folder, index, size, seed)
            yield f"{folder}/{index:03d}.png", Image.fromarray(rendering.picture)
            if kind != "good":
                yield f"ground_truth/{kind}/{index:03d}_mask.png", Image.fromarray(rendering.mask).convert("L")
