"""BTAD (beanTech): three industrial products, in the authors' layout.

::

    <category>/train/ok/0000.bmp
    <category>/test/ok/0000.bmp
    <category>/test/ko/0000.bmp
    <category>/ground_truth/ko/0000.png     the mask of the same stem; the file types differ between categories
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, find_images, image_files, normal_samples, require_folder
from pybench.types import Citation, DatasetInfo, InputError, Sample


class Btad(TrainTestDataset):
    """The authors' images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="btad",
        title="BTAD (beanTech)",
        categories=("01", "02", "03"),
        licence="Creative Commons, for which CC BY-NC-SA 4.0 and CC BY-SA are both quoted: see the authors' page",
        url="https://github.com/pankajmishra000/VT-ADL",
        citation=Citation(
            title="VT-ADL: A Vision Transformer Network for Image Anomaly Detection and Localization",
            authors="P. Mishra, R. Verk, D. Fornasier, C. Piciarelli, G. L. Foresti",
            year=2021,
            reference="ISIE 2021",
        ),
        how_to_get=(
            "Download btad.zip, to which https://github.com/pankajmishra000/VT-ADL links, and put the folders 01, 02"
            " and 03 of its BTech_Dataset_transformed so that <data root>/btad/01/train/ok is there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The images of ``train/ok``."""
        return normal_samples(self._folder(category) / "train" / "ok", self.options.alpha)

    def test_part(self, category: str) -> list[Sample]:
        """Those of ``test/ko`` with their masks, and of ``test/ok``."""
        folder = self._folder(category)
        return self._defective(folder) + normal_samples(folder / "test" / "ok", self.options.alpha)

    def _folder(self, category: str) -> Path:
        require_folder(self.info, self.root / category)
        return self.root / category

    def _defective(self, folder: Path) -> list[Sample]:
        mask_folder = folder / "ground_truth" / "ko"
        masks = {mask.stem: mask for mask in find_images(mask_folder)}
        samples = []
        for image in image_files(folder / "test" / "ko"):
            if image.stem not in masks:
                raise InputError(f"{image}: its mask is missing; looked for {mask_folder / image.stem}.png or .bmp")
            masks_of_image = (masks[image.stem],)
            samples.append(Sample(image, 1, "defective", masks_of_image, alpha=self.options.alpha))
        return samples
