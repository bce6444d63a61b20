"""What the tests of data sets share: small pictures, and the samples of a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pybench.types import Dataset, Sample

SHAPE = (6, 8)
GREY = np.full(SHAPE, 99)
MASK = np.eye(*SHAPE, dtype=np.int64) * 255


def split(dataset: type[Dataset], root: Path, category: str, part: Any, seed: int = 0) -> list[Sample]:
    """The samples of a part, with the data set's default options."""
    return dataset(root, dataset.Options(), seed).split(category, part)


def names(samples: list[Sample]) -> list[str]:
    """Folder and file of each image."""
    return [f"{sample.image.parent.name}/{sample.image.name}" for sample in samples]
