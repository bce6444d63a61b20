"""AITEX (AFID): seven fabrics as grey strips, in the owners' layout.

::

    NODefect_images/<roll>/0001_000_05.png      defect-free; the last number is the fabric, the folder names a roll
    Defect_images/0094_027_05.png               number, defect code, fabric; all of them test
    Mask_images/0094_027_05_mask.png            the mask: defective where grey >= 128
    Mask_images/0097_030_03_mask1.png           two images have two masks, _mask1 and _mask2, which are united

The owners publish no one-class split, and public code cuts squares in splits of its own. Ours: the data seed draws 80 %
of a fabric's defect-free strips to train on; the others and all defective ones are the test part.

A strip has 4096 x 256 pixels (one has 3796 x 256), and pybench resizes whole images to a square: at 256 pixels a defect
is squeezed to a sixteenth of its length along the strip, and small ones are lost. Many strips are white beside the
fabric. The mask of 0106_010_03 is empty: it counts for image metrics only. Fabric 08 has one defective strip without a
mask and no defect-free one, so it is no category.

The names and codes are those of the owners' page and paper (J. Silvestre-Blanes et al. 2019, Table 1), which count 140
defect-free and 105 defective strips; the archives hold 141 and 106, as users of them report. One defect-free name is
irregular (0018_00_01), so zeros of any number stand for no defect.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, image_files, require_folder, split_normal, subfolders
from pybench.types import Citation, DatasetInfo, InputError, Sample

DEFECT_TYPES = {
    "002": "broken_end",
    "006": "broken_yarn",
    "010": "broken_pick",
    "016": "weft_curling",
    "019": "fuzzyball",
    "022": "cut_selvage",
    "023": "crease",
    "025": "warp_ball",
    "027": "knots",
    "029": "contamination",
    "030": "nep",
    "036": "weft_crack",
}
TRAIN_SHARE = 0.8
NAME = re.compile(r"\d+_(?P<defect>\d+)_(?P<fabric>\d\d)")


class Aitex(TrainTestDataset):
    """The owners' images below ``root``; a category is a fabric."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="aitex",
        title="AITEX fabrics (AFID)",
        categories=("00", "01", "02", "03", "04", "05", "06"),
        licence="none found: see the owners' page",
        url="https://www.aitex.es/afid/",
        citation=Citation(
            title="A Public Fabric Database for Defect Detection Methods and Results",
            authors="J. Silvestre-Blanes, T. Albero-Albero, I. Miralles, R. Pérez-Llorens, J. Moreno",
            year=2019,
            reference="AUTEX Research Journal 19(4), pp. 363-374",
        ),
        how_to_get=(
            "Download Defect_images.7z, NODefect_images.7z and Mask_images.7z from https://www.aitex.es/afid/ and"
            " unpack them so that <data root>/aitex/NODefect_images, Defect_images and Mask_images are there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The defect-free strips of the fabric that the data seed drew."""
        return self._normal(category, training=True)

    def test_part(self, category: str) -> list[Sample]:
        """All defective strips of the fabric, and its other defect-free ones."""
        return self._defective(category) + self._normal(category, training=False)

    def _normal(self, fabric: str, training: bool) -> list[Sample]:
        rolls = subfolders(self._folder("NODefect_images"))
        images = [image for roll in rolls for image in image_files(roll)]
        for image in images:
            if int(_codes(image)["defect"]):
                raise InputError(f"{image}: has a defect code, but lies among the defect-free; expected NNNN_000_FF")
        found = _of_fabric(fabric, images, self.root / "NODefect_images")
        return split_normal(found, TRAIN_SHARE, self.data_seed, self.options.alpha, training=training)

    def _defective(self, fabric: str) -> list[Sample]:
        folder = self._folder("Defect_images")
        masks = self._folder("Mask_images")
        return [
            Sample(image, 1, _defect_type(image), _masks(image, masks), alpha=self.options.alpha)
            for image in _of_fabric(fabric, image_files(folder), folder)
        ]

    def _folder(self, name: str) -> Path:
        require_folder(self.info, self.root / name)
        return self.root / name


def _codes(image: Path) -> re.Match[str]:
    """The codes in an image's name: its groups are ``defect`` and ``fabric``."""
    codes = NAME.fullmatch(image.stem)
    if codes is None:
        raise InputError(f"{image}: expected a name of number, defect code and fabric, such as 0094_027_05.png")
    return codes


def _of_fabric(fabric: str, images: list[Path], folder: Path) -> list[Path]:
    found = [image for image in images if _codes(image)["fabric"] == fabric]
    if not found:
        raise InputError(f"{folder}: no image of fabric {fabric}; expected names that end in _{fabric}.png")
    return found


def _defect_type(image: Path) -> str:
    code = _codes(image)["defect"]
    if code not in DEFECT_TYPES:
        raise InputError(f"{image}: unknown defect code '{code}'; expected one of {', '.join(DEFECT_TYPES)}")
    return DEFECT_TYPES[code]


def _masks(image: Path, folder: Path) -> tuple[Path, ...]:
    names = (f"{image.stem}_mask{number}.png" for number in ("", 1, 2))
    masks = tuple(folder / name for name in names if (folder / name).is_file())
    if not masks:
        raise InputError(f"{image}: its mask is missing; looked for {folder / image.stem}_mask.png, or _mask1.png")
    return masks
