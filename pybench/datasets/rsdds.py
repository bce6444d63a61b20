"""RSDDs: strips of rail surface from express and from common or heavy-haul tracks, in the authors' layout.

::

    Type-I RSDDs dataset/Rail surface images/rail_1.jpg      67 strips of express rails, 160 x 1000 pixels
    Type-I RSDDs dataset/GroundTruth/rail_1.jpg              the mask of the same name: defective where grey >= 128
    Type-II RSDDs dataset/...                                128 strips of common and heavy-haul rails, 55 x 1250 pixels

**Every strip has a defect**, so there is nothing to fit a detector on. Public code cuts the strips into squares and
takes those whose mask is empty as normal. pybench cuts no images: cut them yourself and use the data set ``folder``, or
name whole defect-free strips of the same rail type in the option ``normal``. The data seed draws 80 % of those to train
on, a split of our own; the others and all strips of the authors are the test part. Masks are JPEG files, whose grey
values are not exact.

The numbers and sizes are the authors' (J. Gan et al. 2017); folders and names are as public loaders read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pybench.datasets._layout import TrainTestDataset, existing_mask, image_files, require_folder, split_normal
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample

TRAIN_SHARE = 0.8


class RsddsOptions(DatasetOptions):
    """Where the defect-free strips are, which the authors' data lacks."""

    normal: str | None = Field(
        None,
        description="folder of your own defect-free strips, relative to the data set's; `{category}` in it is replaced",
    )


class Rsdds(TrainTestDataset):
    """The authors' images below ``root``, one folder per category, and the user's normal images."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="rsdds",
        title="RSDDs (rail surface)",
        categories=("Type-I", "Type-II"),
        licence="none found: see the authors' page",
        url="http://icn.bjtu.edu.cn/Visint/resources/RSDDs.aspx",
        citation=Citation(
            title="A Hierarchical Extractor-Based Visual Rail Surface Inspection System",
            authors="J. Gan, Q. Li, J. Wang, H. Yu",
            year=2017,
            reference="IEEE Sensors Journal 17(23), pp. 7935-7944",
        ),
        how_to_get=(
            "Get it from http://icn.bjtu.edu.cn/Visint/resources/RSDDs.aspx and unpack it so that <data root>/rsdds/"
            "Type-I RSDDs dataset/Rail surface images is there. It has no defect-free image: see the option `normal`."
        ),
    )
    Options: ClassVar[type[DatasetOptions]] = RsddsOptions
    options: RsddsOptions

    def train_part(self, category: str) -> list[Sample]:
        """The user's defect-free strips that the data seed drew."""
        return self._normal(category, training=True)

    def test_part(self, category: str) -> list[Sample]:
        """All strips of the authors, and the user's other defect-free ones."""
        return self._defective(category) + self._normal(category, training=False)

    def _defective(self, category: str) -> list[Sample]:
        masks = self._folder(category, "GroundTruth")
        return [
            Sample(image, 1, "defective", (existing_mask(image, masks / image.name),), alpha=self.options.alpha)
            for image in image_files(self._folder(category, "Rail surface images"))
        ]

    def _normal(self, category: str, training: bool) -> list[Sample]:
        strips = self._folder(category, "Rail surface images")
        if self.options.normal is None:
            raise InputError(
                f"{strips}: every strip of RSDDs has a defect, so there is nothing to fit on. Name a folder of whole"
                " defect-free strips in the option `normal`; or cut the strips into tiles, and give the tiles with and"
                " without a defect to the data set `folder`"
            )
        folder = self.root / self.options.normal.replace("{category}", category)
        if folder.resolve() == strips.resolve():
            raise InputError(f"rsdds: option `normal` names {folder}, whose strips have defects")
        if not folder.is_dir():
            raise InputError(f"rsdds: option `normal` names {folder}, which is no folder")
        return split_normal(image_files(folder), TRAIN_SHARE, self.data_seed, self.options.alpha, training=training)

    def _folder(self, category: str, name: str) -> Path:
        folder = self.root / f"{category} RSDDs dataset" / name
        require_folder(self.info, folder)
        return folder
