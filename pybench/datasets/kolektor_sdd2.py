"""KolektorSDD2: surfaces of a production line, in colour, in the authors' layout.

::

    train/10000.png, train/10000_GT.png    an image of about 230 x 630 pixels, and its mask; 2085 normal, 246 defective
    test/20000.png, test/20000_GT.png      894 normal, 110 defective

Every image has a mask, which is 0 where there is no defect; labels are in the masks only, so ``split`` reads them. Any
pixel that is not 0 is defective. Sources: Božič et al. 2021, and the authors' program ``mixed-segdec-net-comind2021``.

The division into ``train`` and ``test`` is the authors'. The training images with defects are left out, as in DSR
(V. Zavrtanik et al., ECCV 2022). The authors' archive has a pair of files twice: see ``STRAY``.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._kolektor import normal_only, sample_of
from pybench.datasets._layout import TrainTestDataset, image_files, require_folder
from pybench.types import Citation, DatasetInfo, InputError, Part, Sample

# Copies of train/10301.png and its mask, left in the archive; many loaders skip them to have the published 2331 images.
STRAY = ("10301 (copy).png", "10301_GT (copy).png")
MASK = "_GT"


class KolektorSdd2(TrainTestDataset):
    """The authors' images below ``root``; one category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="kolektor_sdd2",
        title="KolektorSDD2",
        categories=("kolektor_sdd2",),
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://www.vicos.si/resources/kolektorsdd2/",
        citation=Citation(
            title="Mixed supervision for surface-defect detection: from weakly to fully supervised learning",
            authors="J. Božič, D. Tabernik, D. Skočaj",
            year=2021,
            reference="Computers in Industry 129",
        ),
        how_to_get=(
            "Download it from https://www.vicos.si/resources/kolektorsdd2/ (licence CC BY-NC-SA 4.0) and unpack it so"
            " that <data root>/kolektor_sdd2/train/10000.png is there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The images of ``train`` without defects."""
        return normal_only(self._samples("train"), str(self.root / "train"))

    def test_part(self, category: str) -> list[Sample]:
        """All images of ``test``."""
        return self._samples("test")

    def _samples(self, part: Part) -> list[Sample]:
        folder = self.root / part
        require_folder(self.info, folder)
        images = [file for file in image_files(folder) if not file.stem.endswith(MASK) and file.name not in STRAY]
        if not images:
            raise InputError(f"{folder}: no images here; expected files named 10000.png with their masks 10000_GT.png")
        return [sample_of(image, _mask(image), self.options.alpha) for image in images]


def _mask(image: Path) -> Path:
    return image.with_name(f"{image.stem}{MASK}.png")
