"""MVTec LOCO AD: five products with structural and logical anomalies, in MVTec's own layout.

::

    <category>/train/good/000.png
    <category>/validation/good/000.png
    <category>/test/{good,logical_anomalies,structural_anomalies}/000.png
    <category>/ground_truth/<type>/000/000.png, 001.png, ...   one mask per defect of image 000
    <category>/defects_config.json

Masks of one image may overlap. A mask is black but for one grey value, by which ``defects_config.json`` names the
defect and says how much of it must be found for a full score in sPRO. Defect types are called ``logical`` and
``structural``.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from pybench.datasets._layout import find_images, image_files, normal_samples, require_folder
from pybench.types import Citation, Dataset, DatasetInfo, InputError, Part, Sample, Saturation

KINDS = ("logical", "structural")


class Defect(BaseModel):
    """An entry of ``defects_config.json``; its other values are not read."""

    pixel_value: int = Field(ge=1, le=255)
    saturation_threshold: float = Field(ge=0, allow_inf_nan=False)
    relative_saturation: bool

    @model_validator(mode="after")
    def _a_share_is_at_most_one(self) -> Self:
        if self.relative_saturation and self.saturation_threshold > 1:
            raise ValueError(f"a relative saturation_threshold is at most 1, got {self.saturation_threshold:g}")
        return self


class MvtecLoco(Dataset):
    """The owner's images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mvtec_loco",
        title="MVTec LOCO AD",
        categories=("breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors"),
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://www.mvtec.com/company/research/datasets/mvtec-loco",
        citation=Citation(
            title="Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly Detection and Localization",
            authors="P. Bergmann, K. Batzner, M. Fauser, D. Sattlegger, C. Steger",
            year=2022,
            reference="International Journal of Computer Vision 130, pp. 947-969",
        ),
        how_to_get=(
            "Download it from https://www.mvtec.com/company/research/datasets/mvtec-loco (licence CC BY-NC-SA 4.0) and"
            " unpack it so that <data root>/mvtec_loco/<category>/train/good/000.png is there."
        ),
    )

    has_validation: ClassVar[bool] = True

    def split(self, category: str, part: Part) -> list[Sample]:
        """See ``Dataset.split``; there is a validation part of normal images, which only ``pybench tune`` uses."""
        folder = self.root / category
        require_folder(self.info, folder)
        samples = normal_samples(folder / part / "good", self.options.alpha)
        if part == "test":
            saturations = read_saturations(folder / "defects_config.json")
            samples += [sample for kind in KINDS for sample in self._anomalous(folder, kind, saturations)]
        return samples

    def _anomalous(self, folder: Path, kind: str, saturations: tuple[Saturation, ...]) -> list[Sample]:
        return [
            Sample(
                image,
                label=1,
                defect_type=kind,
                masks=_masks(image, folder / "ground_truth" / f"{kind}_anomalies" / image.stem),
                mask_threshold=1,
                saturations=saturations,
                alpha=self.options.alpha,
            )
            for image in image_files(folder / "test" / f"{kind}_anomalies")
        ]


def read_saturations(path: Path) -> tuple[Saturation, ...]:
    """What a category's ``defects_config.json`` says of saturation.

    Raises:
        InputError: the file is not there, or is none of this kind.
    """
    try:
        defects = TypeAdapter(list[Defect]).validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise InputError(f"{path}: not a list of defects as in MVTec LOCO AD: {error}") from error
    return tuple(Saturation(d.pixel_value, d.saturation_threshold, d.relative_saturation) for d in defects)


def _masks(image: Path, folder: Path) -> tuple[Path, ...]:
    masks = find_images(folder) if folder.is_dir() else []
    if not masks:
        raise InputError(f"{image}: its masks are missing; looked for {folder}/000.png and so on")
    return tuple(masks)
