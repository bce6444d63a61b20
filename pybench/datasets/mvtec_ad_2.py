"""MVTec AD 2: eight scenarios with changing light, in MVTec's own layout.

::

    <category>/train/good/000_regular.png
    <category>/validation/good/000_regular.png
    <category>/test_public/good/000_regular.png
    <category>/test_public/bad/000_regular.png
    <category>/test_public/ground_truth/bad/000_regular_mask.png     0 or 255
    <category>/test_private/000_regular.png
    <category>/test_private_mixed/000_mixed.png

What follows the number is the light: ``regular``, ``overexposed``, ``underexposed``, ``shift_1`` and so on. The test
part is ``test_public``. Only the owners have the labels of the private images; their server evaluates score maps of
them, which ``pybench submit`` writes. Layout and names are those of the loader and the checker that the owners publish
with the data.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import existing_mask, image_files, normal_samples, require_folder
from pybench.types import Citation, Dataset, DatasetInfo, Part, Sample

PRIVATE_PARTS = ("test_private", "test_private_mixed")


class MvtecAd2(Dataset):
    """The owner's images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mvtec_ad_2",
        title="MVTec AD 2",
        categories=("can", "fabric", "fruit_jelly", "rice", "sheet_metal", "vial", "wallplugs", "walnuts"),
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://www.mvtec.com/company/research/datasets/mvtec-ad-2",
        citation=Citation(
            title="The MVTec AD 2 Dataset: Advanced Scenarios for Unsupervised Anomaly Detection",
            authors="L. Heckler-Kram, J.-H. Neudeck, U. Scheler, R. König, C. Steger",
            year=2025,
            reference="arXiv:2503.21622",
        ),
        how_to_get=(
            "Download it from https://www.mvtec.com/company/research/datasets/mvtec-ad-2 (licence CC BY-NC-SA 4.0) and"
            " unpack it so that <data root>/mvtec_ad_2/<category>/train/good is there."
        ),
    )

    has_validation: ClassVar[bool] = True

    def split(self, category: str, part: Part) -> list[Sample]:
        """See ``Dataset.split``; there is a validation part of normal images, which only ``pybench tune`` uses."""
        folder = self._folder(category)
        if part != "test":
            return normal_samples(folder / part / "good", self.options.alpha)
        public = folder / "test_public"
        defective = [self._defective(public, image) for image in image_files(public / "bad")]
        return defective + normal_samples(public / "good", self.options.alpha)

    def private_samples(self, category: str) -> dict[str, list[Sample]]:
        """The images of ``test_private`` and ``test_private_mixed``, by these names. Whether they are normal is not
        known: their labels say nothing.

        Raises:
            InputError: as ``split``.
        """
        folder = self._folder(category)
        return {part: normal_samples(folder / part, self.options.alpha) for part in PRIVATE_PARTS}

    def _folder(self, category: str) -> Path:
        require_folder(self.info, self.root / category)
        return self.root / category

    def _defective(self, public: Path, image: Path) -> Sample:
        mask = existing_mask(image, public / "ground_truth" / "bad" / f"{image.stem}_mask.png")
        return Sample(image, label=1, defect_type="bad", masks=(mask,), alpha=self.options.alpha)
