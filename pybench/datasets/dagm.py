"""DAGM 2007: ten synthetic textures with weak labels, in the competition's layout.

::

    Class1/Train/0001.PNG
    Class1/Train/Label/0576_label.PNG     an ellipse around the defect of image 0576
    Class1/Test/0001.PNG
    Class1/Test/Label/0009_label.PNG

An image is defective if it has a label. The training part holds the defect-free images of ``Train``, the test part
all of ``Test``. NDP-Net divides otherwise (Table I): 275 defect-free images train, and the test set is 150 or 300
defective images, as many as both folders hold, and no defect-free one. The labels cover more than the defects.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, find_images, image_files, require_folder
from pybench.types import Citation, DatasetInfo, InputError, Sample


class Dagm(TrainTestDataset):
    """The competition's images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="dagm",
        title="DAGM 2007",
        categories=tuple(f"Class{number}" for number in range(1, 11)),
        licence="CC BY 4.0",
        url="https://zenodo.org/records/12750201",
        citation=Citation(
            title="Weakly Supervised Learning for Industrial Optical Inspection",
            authors="M. Wieler, T. Hahn",
            year=2007,
            reference="DAGM symposium 2007",
        ),
        how_to_get=(
            "Download it from https://zenodo.org/records/12750201 and unpack it so that"
            " <data root>/dagm/Class1/Train/0001.PNG is there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The defect-free images of ``Train``."""
        return [sample for sample in self._samples(self.root / category / "Train") if not sample.label]

    def test_part(self, category: str) -> list[Sample]:
        """All images of ``Test``."""
        return self._samples(self.root / category / "Test")

    def _samples(self, folder: Path) -> list[Sample]:
        require_folder(self.info, folder)
        labels = {label.stem.removesuffix("_label"): label for label in find_images(folder / "Label")}
        images = image_files(folder)
        unknown = sorted(labels.keys() - {image.stem for image in images})
        if unknown or not labels:
            found = f"labels without an image: {', '.join(unknown[:3])}" if unknown else "no labels here"
            raise InputError(f"{folder / 'Label'}: {found}; expected NNNN_label.PNG for each defective NNNN.PNG")
        return [
            Sample(image, 1, "defective", (labels[image.stem],), alpha=self.options.alpha)
            if image.stem in labels
            else Sample(image, alpha=self.options.alpha)
            for image in images
        ]
