"""Magnetic-tile surface defects, in the authors' layout.

::

    MT_Free/Imgs/<name>.jpg        defect-free; 80 % of them train, drawn by the data seed
    MT_<type>/Imgs/<name>.jpg      Blowhole, Break, Crack, Fray, Uneven; all of them test
    MT_<type>/Imgs/<name>.png      the mask: defective where grey >= 128, below are artefacts

The split is the one of DifferNet (M. Rudolph et al., WACV 2021). Four masks of MT_Uneven are empty: those images are
anomalous for image metrics and left out of pixel metrics.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, existing_mask, image_files, require_folder, split_normal
from pybench.types import Citation, DatasetInfo, InputError, Sample

DEFECT_TYPES = ("Blowhole", "Break", "Crack", "Fray", "Uneven")
TRAIN_SHARE = 0.8


class MagneticTile(TrainTestDataset):
    """The authors' images below ``root``; one category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="magnetic_tile",
        title="Magnetic-tile surface defects (MTD)",
        categories=("magnetic_tile",),
        licence="none stated; published by its authors for research",
        url="https://github.com/abin24/Magnetic-tile-defect-datasets.",
        citation=Citation(
            title="Surface defect saliency of magnetic tile",
            authors="Y. Huang, C. Qiu, K. Yuan",
            year=2020,
            reference="The Visual Computer 36, pp. 85-96",
        ),
        how_to_get=(
            "Get it from https://github.com/abin24/Magnetic-tile-defect-datasets. (the final dot belongs to it) and"
            " put its folders so that <data root>/magnetic_tile/MT_Free/Imgs is there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The defect-free images that the data seed drew."""
        return self._normal(training=True)

    def test_part(self, category: str) -> list[Sample]:
        """All defective images, and the other defect-free ones."""
        defective = [self._defective(kind, image) for kind in DEFECT_TYPES for image in self._images(kind)]
        return defective + self._normal(training=False)

    def _images(self, kind: str) -> list[Path]:
        """The photographs of a type; the PNG files beside them are masks."""
        folder = self.root / f"MT_{kind}" / "Imgs"
        require_folder(self.info, folder)
        images = [file for file in image_files(folder) if file.suffix.lower() == ".jpg"]
        if not images:
            raise InputError(f"{folder}: no images here; expected files named *.jpg with their masks *.png")
        return images

    def _normal(self, training: bool) -> list[Sample]:
        return split_normal(self._images("Free"), TRAIN_SHARE, self.data_seed, self.options.alpha, training=training)

    def _defective(self, kind: str, image: Path) -> Sample:
        mask = existing_mask(image, image.with_suffix(".png"))
        return Sample(image, label=1, defect_type=kind.lower(), masks=(mask,), alpha=self.options.alpha)
