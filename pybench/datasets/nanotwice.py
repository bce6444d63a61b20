"""NanoTWICE: nanofibres under a scanning electron microscope, in the authors' layout.

::

    Normal/ITIA1130.tif                  5 defect-free images; all of them train
    Anomalous/images/ITIA1101.tif        40 images with defects (specks of dust, flattened areas); all test
    Anomalous/gt/ITIA1101_gt.png         the mask: defective where it is not 0

The division is the authors' (D. Carrera et al. 2017). No test image is normal, so image metrics are undefined, and
pixel metrics count the defect-free pixels of defective images. Images are grey, 1024 x 700 pixels, and many defects are
small: at the usual 256 pixels they are thin. The numbers of images are stated by P. Bergmann et al. (CVPR 2019), who
describe the set; folders, names and masks are as public loaders read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, existing_mask, image_files, normal_samples, require_folder
from pybench.types import Citation, DatasetInfo, Sample


class NanoTwice(TrainTestDataset):
    """The authors' images below ``root``; one category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="nanotwice",
        title="NanoTWICE (nanofibres)",
        categories=("nanotwice",),
        licence="none found: see the authors' page",
        url="http://web.mi.imati.cnr.it/ettore/NanoTWICE",
        citation=Citation(
            title="Defect Detection in SEM Images of Nanofibrous Materials",
            authors="D. Carrera, F. Manganini, G. Boracchi, E. Lanzarone",
            year=2017,
            reference="IEEE Transactions on Industrial Informatics 13(2), pp. 551-561",
        ),
        how_to_get=(
            "Get the archive of the data from http://web.mi.imati.cnr.it/ettore/NanoTWICE and put its folders Normal"
            " and Anomalous so that <data root>/nanotwice/Normal and <data root>/nanotwice/Anomalous/images are there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The images of ``Normal``."""
        return normal_samples(self._folder("Normal"), self.options.alpha)

    def test_part(self, category: str) -> list[Sample]:
        """The images of ``Anomalous/images`` with their masks; none is normal."""
        images = image_files(self._folder("Anomalous/images"))
        masks = self._folder("Anomalous/gt")
        return [
            Sample(
                image,
                label=1,
                defect_type="defective",
                masks=(existing_mask(image, masks / f"{image.stem}_gt.png"),),
                mask_threshold=1,
                alpha=self.options.alpha,
            )
            for image in images
        ]

    def _folder(self, name: str) -> Path:
        require_folder(self.info, self.root / name)
        return self.root / name
