"""What the two Kolektor data sets share: their masks alone say whether an image is defective."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pybench.datasets._layout import existing_mask
from pybench.images.decoding import Alpha
from pybench.images.loading import annotation
from pybench.types import InputError, Sample

# The authors' programs take every pixel that is not 0 for defective.
MASK_THRESHOLD = 1


def sample_of(image: Path, mask: Path, alpha: Alpha) -> Sample:
    """An image with its label: it is defective where its mask has a pixel that is not 0.

    Raises:
        InputError: the mask is not there, or cannot be read.
    """
    modified = existing_mask(image, mask).stat().st_mtime_ns
    if not _has_defect(mask, alpha, modified):
        return Sample(image, alpha=alpha)
    return _defective(image, mask, alpha)


def normal_only(samples: list[Sample], wanted: str) -> list[Sample]:
    """Those without a defect, to fit on.

    Args:
        wanted: where they were looked for, in words for the user.

    Raises:
        InputError: there are none.
    """
    normal = [sample for sample in samples if not sample.label]
    if not normal:
        raise InputError(f"{wanted}: every mask has a defect, so no image is left to fit on; expected masks of 0 only")
    return normal


@cache
def _has_defect(mask: Path, alpha: Alpha, modified_ns: int) -> bool:
    """Kept for the life of the process, until the file's time changes: a split is made several times."""
    return annotation(_defective(mask, mask, alpha)) is not None


def _defective(image: Path, mask: Path, alpha: Alpha) -> Sample:
    return Sample(image, 1, "defective", (mask,), mask_threshold=MASK_THRESHOLD, alpha=alpha)
