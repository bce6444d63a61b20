"""MVTec AD: ten objects and five textures, in MVTec's own layout.

::

    <category>/train/good/000.png
    <category>/test/good/000.png
    <category>/test/<defect type>/000.png
    <category>/ground_truth/<defect type>/000_mask.png
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import (
    TrainTestDataset,
    existing_mask,
    image_files,
    normal_samples,
    require_folder,
    subfolders,
)
from pybench.images.decoding import Alpha
from pybench.types import Citation, DatasetInfo, InputError, Sample

OBJECTS = ("bottle", "cable", "capsule", "hazelnut", "metal_nut", "pill", "screw", "toothbrush", "transistor", "zipper")
TEXTURES = ("carpet", "grid", "leather", "tile", "wood")
CATEGORIES = tuple(sorted(OBJECTS + TEXTURES))


class MvtecAd(TrainTestDataset):
    """The owner's images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mvtec_ad",
        title="MVTec AD",
        categories=CATEGORIES,
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        citation=Citation(
            title="MVTec AD - A Comprehensive Real-World Dataset for Unsupervised Anomaly Detection",
            authors="P. Bergmann, M. Fauser, D. Sattlegger, C. Steger",
            year=2019,
            reference="CVPR 2019, pp. 9592-9600",
        ),
        how_to_get=(
            "Download it from https://www.mvtec.com/company/research/datasets/mvtec-ad (licence CC BY-NC-SA 4.0) and"
            " unpack it so that <data root>/mvtec_ad/<category>/train/good/000.png is there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The images of ``train/good``."""
        return training_samples(self._folder(category), self.options.alpha)

    def test_part(self, category: str) -> list[Sample]:
        """The normal images and those of every defect type."""
        return test_samples(self._folder(category), self.options.alpha)

    def _folder(self, category: str) -> Path:
        require_folder(self.info, self.root / category)
        return self.root / category


def training_samples(folder: Path, alpha: Alpha) -> list[Sample]:
    """The normal images to fit on, from a category's folder.

    Raises:
        InputError: there are none.
    """
    return normal_samples(folder / "train" / "good", alpha)


def test_samples(folder: Path, alpha: Alpha) -> list[Sample]:
    """The images to test on, from a category's folder, sorted by defect type and name.

    Raises:
        InputError: there are none, or a defective image has no mask.
    """
    types = subfolders(folder / "test")
    if not types:
        raise InputError(f"{folder / 'test'}: no folders here; expected good and one for each defect type")
    return [_sample(folder, image, alpha) for type_folder in types for image in image_files(type_folder)]


def _sample(folder: Path, image: Path, alpha: Alpha) -> Sample:
    defect_type = image.parent.name
    if defect_type == "good":
        return Sample(image, alpha=alpha)
    mask = existing_mask(image, folder / "ground_truth" / defect_type / f"{image.stem}_mask.png")
    return Sample(image, label=1, defect_type=defect_type, masks=(mask,), alpha=alpha)
