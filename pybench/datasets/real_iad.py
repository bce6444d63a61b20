"""Real-IAD: thirty objects from five views, in the authors' layout.

::

    realiad_1024/<category>/OK/S0001/<name>.jpg
    realiad_1024/<category>/NG/<type>/S0001/<name>.jpg     and its mask, <name>.png
    realiad_jsons/<category>.json                          the split of all five views
    realiad_jsons_sv/<category>.json                       the split of the single-view setting

The images come in four sizes: ``realiad_1024``, ``realiad_512``, ``realiad_256`` and ``realiad_raw``. The two folders
of splits may also lie in another folder ``realiad_jsons``, where some unpack their archive. A split file names
images, their masks or null, and ``anomaly_class``: ``OK`` or the type of the defect. As in the authors' loader, an
image is normal if it is ``OK`` or has no mask, because its view does not show the defect.

Layout, split files and settings are those of https://github.com/Tencent/AnomalyDetection_Real-IAD. Every image is
evaluated by itself here; there is no score of an object over its views (the paper's S-AUROC). The paper's
fully unsupervised setting, which trains on some defective images, is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, ValidationError

from pybench.datasets._layout import TrainTestDataset, existing_mask, missing_data
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample

SIZES = ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw")
DEFECT_TYPES = {
    "AK": "pit",
    "BX": "deformation",
    "CH": "abrasion",
    "HS": "scratch",
    "PS": "damage",
    "QS": "missing_parts",
    "YW": "foreign_objects",
    "ZW": "contamination",
}


class RealIadOptions(DatasetOptions):
    """Which of the released sizes and splits is read; both are named by their folders."""

    images: Literal["realiad_1024", "realiad_512", "realiad_256", "realiad_raw"] = Field(
        "realiad_1024", description="folder of the images: their size in pixels, or as they were taken"
    )
    splits: Literal["realiad_jsons_sv", "realiad_jsons"] = Field(
        "realiad_jsons_sv", description="folder of the split files: single view, or all five views as single images"
    )


class Entry(BaseModel):
    """An image of a split file. Paths are relative to the category's folder."""

    image_path: str
    mask_path: str | None
    anomaly_class: Literal["OK", "AK", "BX", "CH", "HS", "PS", "QS", "YW", "ZW"]


class Meta(BaseModel):
    """What holds for all images of a split file; ``prefix`` is the category's folder."""

    prefix: str
    normal_class: Literal["OK"]


class SplitFile(BaseModel):
    """A category's JSON file."""

    meta: Meta
    train: list[Entry]
    test: list[Entry]


class RealIad(TrainTestDataset):
    """The authors' images and split files below ``root``."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="real_iad",
        title="Real-IAD",
        categories=(
            "audiojack",
            "bottle_cap",
            "button_battery",
            "end_cap",
            "eraser",
            "fire_hood",
            "mint",
            "mounts",
            "pcb",
            "phone_battery",
            "plastic_nut",
            "plastic_plug",
            "porcelain_doll",
            "regulator",
            "rolled_strip_base",
            "sim_card_set",
            "switch",
            "tape",
            "terminalblock",
            "toothbrush",
            "toy",
            "toy_brick",
            "transistor1",
            "u_block",
            "usb",
            "usb_adaptor",
            "vcpill",
            "wooden_beads",
            "woodstick",
            "zipper",
        ),
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://realiad4ad.github.io/Real-IAD/",
        citation=Citation(
            title="Real-IAD: A Real-World Multi-View Dataset for Benchmarking Versatile Industrial Anomaly Detection",
            authors="C. Wang, W. Zhu, B.-B. Gao, Z. Gan, J. Zhang, Z. Gu, S. Qian, M. Chen, L. Ma",
            year=2024,
            reference="CVPR 2024, pp. 22883-22892",
        ),
        how_to_get=(
            "Ask its authors for access on https://realiad4ad.github.io/Real-IAD/ (licence CC BY-NC-SA 4.0) and unpack"
            " realiad_jsons.zip and the archives of one size so that <data root>/real_iad/realiad_jsons_sv/mint.json"
            " and <data root>/real_iad/realiad_1024/mint/OK are there."
        ),
    )
    Options: ClassVar[type[DatasetOptions]] = RealIadOptions
    options: RealIadOptions

    def train_part(self, category: str) -> list[Sample]:
        """The images that the split file trains on.

        Raises:
            InputError: also where one of them is not normal.
        """
        file, split = self._split_file(category)
        for number, entry in enumerate(split.train):
            if entry.anomaly_class != "OK":
                raise InputError(
                    f"{file}: train.{number}: {entry.image_path} is of class {entry.anomaly_class}; expected normal"
                    " images (OK) only"
                )
        return self._samples(category, file, split.meta, split.train)

    def test_part(self, category: str) -> list[Sample]:
        """The images that the split file tests on."""
        file, split = self._split_file(category)
        return self._samples(category, file, split.meta, split.test)

    def _split_file(self, category: str) -> tuple[Path, SplitFile]:
        name = Path(self.options.splits, f"{category}.json")
        places = [self.root / name, self.root / "realiad_jsons" / name]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise missing_data(self.info, f"{places[0]} and {places[1]}")
        try:
            return file, SplitFile.model_validate_json(file.read_bytes())
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors()[0]  # of perhaps thousands
            place = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"{file}: not a split file as in Real-IAD: {place}: {first['msg']}") from error

    def _samples(self, category: str, file: Path, meta: Meta, entries: list[Entry]) -> list[Sample]:
        if not entries:
            raise InputError(f"{file}: names no images of {category} for this part")
        folder = self._image_folder() / meta.prefix
        return sorted((self._sample(folder, entry) for entry in entries), key=lambda sample: sample.image)

    def _image_folder(self) -> Path:
        folder = self.root / self.options.images
        if folder.is_dir():
            return folder
        others = [size for size in SIZES if (self.root / size).is_dir()]
        hint = f" (there is {', '.join(others)}: choose it by the option `images`)" if others else ""
        raise missing_data(self.info, f"the folder {folder}{hint}")

    def _sample(self, folder: Path, entry: Entry) -> Sample:
        image = folder / entry.image_path
        if entry.anomaly_class == "OK" or entry.mask_path is None:
            return Sample(image, alpha=self.options.alpha)
        mask = existing_mask(image, folder / entry.mask_path)
        kind = DEFECT_TYPES[entry.anomaly_class]
        return Sample(image, label=1, defect_type=kind, masks=(mask,), alpha=self.options.alpha)
