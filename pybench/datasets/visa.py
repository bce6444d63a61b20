"""VisA: twelve objects, in the authors' layout and with their one-class split.

::

    split_csv/1cls.csv                          columns object, split, label, image, mask
    <category>/Data/Images/Normal/0000.JPG
    <category>/Data/Images/Anomaly/000.JPG
    <category>/Data/Masks/Anomaly/000.png       0 or the number of the defect's class

Paths in the split file are relative to its folder's parent. A mask is defective wherever it is not 0.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, existing_mask, missing_data
from pybench.types import Citation, DatasetInfo, InputError, Sample

COLUMNS = ("object", "split", "label", "image", "mask")
LABELS = ("normal", "anomaly")


class Visa(TrainTestDataset):
    """The authors' images below ``root``, one folder per category."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="visa",
        title="VisA",
        categories=(
            "candle",
            "capsules",
            "cashew",
            "chewinggum",
            "fryum",
            "macaroni1",
            "macaroni2",
            "pcb1",
            "pcb2",
            "pcb3",
            "pcb4",
            "pipe_fryum",
        ),
        licence="CC BY 4.0",
        url="https://github.com/amazon-science/spot-diff",
        citation=Citation(
            title="SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and Segmentation",
            authors="Y. Zou, J. Jeong, L. Pemula, D. Zhang, O. Dabeer",
            year=2022,
            reference="ECCV 2022, pp. 392-408",
        ),
        how_to_get=(
            "Download VisA_20220922.tar, to which https://github.com/amazon-science/spot-diff links, and unpack it so"
            " that <data root>/visa/split_csv/1cls.csv and <data root>/visa/<category>/Data are there."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """The rows with the split ``train``, sorted by image."""
        return self._part(category, "train")

    def test_part(self, category: str) -> list[Sample]:
        """The rows with the split ``test``, sorted by image."""
        return self._part(category, "test")

    def _part(self, category: str, part: str) -> list[Sample]:
        file = self.root / "split_csv" / "1cls.csv"
        rows = [row for row in self._rows(file) if (row["object"], row["split"]) == (category, part)]
        if not rows:
            raise InputError(f"{file}: no row with object {category} and split {part}")
        return sorted((self._sample(row) for row in rows), key=lambda sample: sample.image)

    def _rows(self, file: Path) -> list[dict[str, str]]:
        if not file.is_file():
            raise missing_data(self.info, str(file))
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise InputError(f"{file}: the columns are {reader.fieldnames}; expected {', '.join(COLUMNS)}")
            rows = list(reader)
        for line, row in enumerate(rows, start=2):
            if row["label"] not in LABELS:
                raise InputError(f"{file}:{line}: the label is '{row['label']}'; expected {' or '.join(LABELS)}")
        return rows

    def _sample(self, row: dict[str, str]) -> Sample:
        image = self.root / row["image"]
        if row["label"] == "normal":
            return Sample(image, alpha=self.options.alpha)
        return Sample(
            image,
            label=1,
            defect_type="anomaly",
            masks=(existing_mask(image, self.root / row["mask"]),),
            mask_threshold=1,
            alpha=self.options.alpha,
        )
