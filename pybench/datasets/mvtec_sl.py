"""MVTec SL AD: MVTec AD with its defect types divided into structural and logical ones (HETMM, Table 6).

The images are those of ``mvtec_ad`` in its folder; a defect type such as ``cable_swap`` becomes ``logical/cable_swap``.

HETMM says after Bergmann et al. (IJCV 130, 2022) that 37 images in three categories are logical, and does not list
them. The default here is **inferred** from their definition, a part that is missing or in a wrong place: ``cable_swap``
(12 images) and ``missing_cable`` (12) of cable and ``misplaced`` (10) of transistor. These are 34 images in two
categories, so the published division has three images more, of a third category; the option ``logical`` takes them from
whoever has the list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from pybench.datasets.mvtec_ad import CATEGORIES, MvtecAd
from pybench.datasets.mvtec_loco import MvtecLoco
from pybench.registry import unknown
from pybench.types import DatasetInfo, DatasetOptions, InputError, Sample


class SlOptions(DatasetOptions):
    """Which anomalies are logical."""

    logical: dict[str, tuple[str, ...]] = Field(
        {"cable": ("cable_swap", "missing_cable"), "transistor": ("misplaced",)},
        description="for each category that has some: defect types, or single images as <defect type>/<name>",
    )

    @field_validator("logical")
    @classmethod
    def _categories_are_known(cls, logical: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for category in logical:
            if category not in CATEGORIES:
                raise ValueError(unknown("category", category, CATEGORIES))
        return logical


class MvtecSl(MvtecAd):
    """The images of MVTec AD below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mvtec_sl",
        title="MVTec SL AD",
        categories=CATEGORIES,
        licence=MvtecAd.info.licence,
        url=MvtecAd.info.url,
        citation=MvtecLoco.info.citation,
        how_to_get=f"Its images are those of MVTec AD. {MvtecAd.info.how_to_get}",
    )
    Options: ClassVar[type[DatasetOptions]] = SlOptions
    options: SlOptions

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """The folder of ``mvtec_ad``."""
        return super().locate(data_root).with_name(MvtecAd.info.name)

    def test_part(self, category: str) -> list[Sample]:
        """Those of ``mvtec_ad`` by kind.

        Raises:
            InputError: also where the option ``logical`` names something that is not there.
        """
        return by_kind(super().test_part(category), self.options.logical.get(category, ()))


def by_kind(samples: Sequence[Sample], logical: Collection[str]) -> list[Sample]:
    """The samples with ``logical/`` or ``structural/`` before their defect type.

    Args:
        logical: defect types, or single images as ``<defect type>/<stem>``.

    Raises:
        InputError: one of ``logical`` is not among the samples.
    """
    there = {name for sample in samples if sample.label for name in _names(sample)}
    for name in logical:
        if name not in there:
            raise InputError(f"option `logical`: {name} is no defect type below {samples[0].image.parent.parent}")
    return [_of_kind(sample, logical) if sample.label else sample for sample in samples]


def _names(sample: Sample) -> tuple[str, str]:
    return sample.defect_type, f"{sample.defect_type}/{sample.image.stem}"


def _of_kind(sample: Sample, logical: Collection[str]) -> Sample:
    kind = "logical" if any(name in logical for name in _names(sample)) else "structural"
    return replace(sample, defect_type=f"{kind}/{sample.defect_type}")
