"""A procedural stand-in for MVTec AD: same categories and layout, drawn on first use.

For machines without the data. Its numbers say nothing about MVTec AD; its name keeps them apart everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pybench.datasets._layout import TrainTestDataset
from pybench.datasets.mvtec_ad import CATEGORIES, test_samples, training_samples
from pybench.disk.paths import cache_folder
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample


class StandinOptions(DatasetOptions):
    """How much to draw."""

    train: int = Field(60, ge=2, le=10_000, description="normal training images per category")
    test_good: int = Field(12, ge=0, le=10_000, description="normal test images per category")
    test_per_defect: int = Field(6, ge=1, le=10_000, description="test images per category and defect type")
    size: int = Field(256, ge=32, le=2048, description="side of the images in pixels")
    seed: int = Field(0, ge=0, description="seed of the drawing")


class MvtecAdStandin(TrainTestDataset):
    """Draws categories below ``root``, in a folder named for the generator's version and the options."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mvtec_ad_standin",
        title="MVTec AD stand-in (procedural)",
        categories=CATEGORIES,
        licence="Apache-2.0, as the program that draws it",
        url="",
        citation=Citation(title="Procedural stand-in for MVTec AD", authors="the pybench authors", year=2026),
        how_to_get="It is drawn on first use; nothing is downloaded.",
    )
    Options: ClassVar[type[DatasetOptions]] = StandinOptions
    generated: ClassVar[bool] = True
    options: StandinOptions

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """In the cache folder, whatever the data root: generated data is never mixed with the user's."""
        return cache_folder() / MvtecAdStandin.info.name

    def train_part(self, category: str) -> list[Sample]:
        """The normal training images, drawn where they are not there yet."""
        return training_samples(self._drawn(category), self.options.alpha)

    def test_part(self, category: str) -> list[Sample]:
        """The normal and the defective test images, drawn where they are not there yet."""
        return test_samples(self._drawn(category), self.options.alpha)

    def _drawn(self, category: str) -> Path:
        """The category's folder.

        Raises:
            InputError: the images cannot be written below ``root``.
        """
        from pybench.datasets.standin.generate import GENERATOR_VERSION, generate

        wanted = self.options
        amounts = f"train{wanted.train}-good{wanted.test_good}-defect{wanted.test_per_defect}"
        folder = self.root / f"v{GENERATOR_VERSION}-{amounts}-size{wanted.size}-seed{wanted.seed}"
        try:
            generate(
                folder,
                [category],
                train=wanted.train,
                test_good=wanted.test_good,
                test_per_defect=wanted.test_per_defect,
                size=wanted.size,
                seed=wanted.seed,
            )
        except OSError as error:
            raise InputError(f"{folder}: the stand-in for {category} cannot be written here: {error}") from error
        return folder / category
