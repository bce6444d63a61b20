"""KolektorSDD: surfaces of 50 electrical commutators, in the authors' layout.

::

    kos01/Part0.jpg          an item's surfaces, grey, about 500 x 1250 pixels: 8 of them, once 7, 399 in all
    kos01/Part0_label.bmp    the mask of each, also where there is no defect: defective where it is not 0

52 images are defective; labels are in the masks only, so ``split`` reads them. The authors publish finer masks
(KolektorSDD) and boxes (KolektorSDD-boxes) in one layout; either is read. Sources: Tabernik et al. 2019, and the
authors' programs ``segdec-net-jim2019`` and ``mixed-segdec-net-comind2021``, which read these names.

The categories are folds: ``fold_0`` is tested on the items of fold 0 and trained on the defect-free images of the other
two, so no item is in both and every image is tested once. So it is in the paper, which trains on the defects, too. The
authors' folds are in a Python pickle, which is not read here: **the default folds are our own**, 17, 17 and 16 items
drawn by the data seed. The option ``folds`` takes the authors' lists of items, or any others.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pybench.datasets._kolektor import normal_only, sample_of
from pybench.datasets._layout import TrainTestDataset, image_files, missing_data, require_folder, shuffled, subfolders
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample

FOLDS = ("fold_0", "fold_1", "fold_2")
Items = tuple[str, ...]


class FoldOptions(DatasetOptions):
    """Which items are tested together."""

    folds: tuple[Items, Items, Items] | None = Field(
        None, description="three lists of items (kos01, ...) to test on; none draws them by the data seed"
    )


class KolektorSdd(TrainTestDataset):
    """The authors' images below ``root``, one category per fold."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="kolektor_sdd",
        title="KolektorSDD (folds of our own, unless given)",
        categories=FOLDS,
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://www.vicos.si/resources/kolektorsdd/",
        citation=Citation(
            title="Segmentation-Based Deep-Learning Approach for Surface-Defect Detection",
            authors="D. Tabernik, S. Šela, J. Skvarč, D. Skočaj",
            year=2019,
            reference="Journal of Intelligent Manufacturing 31, pp. 759-776",
        ),
        how_to_get=(
            "Download it from https://www.vicos.si/resources/kolektorsdd/ (licence CC BY-NC-SA 4.0) and unpack it so"
            " that <data root>/kolektor_sdd/kos01/Part0.jpg is there."
        ),
    )
    Options: ClassVar[type[DatasetOptions]] = FoldOptions
    options: FoldOptions

    def train_part(self, category: str) -> list[Sample]:
        """The defect-free images of the other folds' items."""
        return normal_only(self._samples(category, testing=False), f"{self.root}: the items beside those of {category}")

    def test_part(self, category: str) -> list[Sample]:
        """All images of the fold's items."""
        return self._samples(category, testing=True)

    def _samples(self, category: str, testing: bool) -> list[Sample]:
        items = self._items()
        tested = self._folds(items)[FOLDS.index(category)]
        chosen = [item for item in items if (item.name in tested) == testing]
        return [
            sample_of(image, image.with_name(f"{image.stem}_label.bmp"), self.options.alpha)
            for item in chosen
            for image in _images(item)
        ]

    def _items(self) -> list[Path]:
        require_folder(self.info, self.root)
        items = [folder for folder in subfolders(self.root) if folder.name.startswith("kos")]
        if len(items) < len(FOLDS):
            raise missing_data(self.info, f"the folders kos01, kos02, ... in {self.root}, and found {len(items)}")
        return items

    def _folds(self, items: list[Path]) -> tuple[Items, ...]:
        """Names of the items of each fold."""
        if self.options.folds is None:
            drawn = [item.name for item in shuffled(items, self.data_seed)]
            return tuple(tuple(drawn[fold :: len(FOLDS)]) for fold in range(len(FOLDS)))
        named = [name for fold in self.options.folds for name in fold]
        for name in sorted({*named, *(item.name for item in items)}):
            if not (self.root / name).is_dir():
                raise InputError(f"kolektor_sdd: option `folds` names {name}, which is no folder in {self.root}")
            if named.count(name) != 1:
                raise InputError(
                    f"kolektor_sdd: option `folds` names {name} {named.count(name)} times; each of the {len(items)}"
                    f" items in {self.root} must be in one fold"
                )
        return self.options.folds


def _images(item: Path) -> list[Path]:
    """An item's photographs; the BMP files beside them are masks."""
    images = [file for file in image_files(item) if file.suffix.lower() == ".jpg"]
    if not images:
        raise InputError(f"{item}: no images here; expected files named Part0.jpg with their masks Part0_label.bmp")
    return images
