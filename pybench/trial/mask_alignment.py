"""Brings masks and score maps to the same size, so that metrics can compare them pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pybench.images.geometry import Geometry
from pybench.images.loading import read_defects, read_mask
from pybench.ops.connected_regions import connected_regions
from pybench.trial.predictions import Predictions
from pybench.types import Evaluation, Region, Sample


@dataclass(frozen=True)
class _Annotation:
    """The annotation of one image: its mask or None, its defects, and how many of them were lost in resizing."""

    mask: NDArray[np.bool_] | None
    regions: tuple[Region, ...]
    lost: int


def align(
    samples: Sequence[Sample],
    predictions: Predictions,
    held_out: NDArray[np.float64] | None,
    geometry: Geometry,
    evaluate_at: Literal["input", "image"],
) -> tuple[Evaluation, int]:
    """What metrics are computed from, with masks and score maps at one size.

    Args:
        samples: the N test samples.
        predictions: for these samples, in the same order.
        held_out: scores of held-out normal images, or None.
        geometry: of the model's input.
        evaluate_at: ``input`` brings masks to the model's input size, ``image`` brings maps to each image's own size.

    Returns:
        The evaluation, and the number of defective regions that have no pixel left after their mask was resized.
    """
    shapes, maps = predictions.shapes, predictions.maps
    at_input = geometry if evaluate_at == "input" else None
    annotations = [_annotation(sample, shape, at_input) for sample, shape in zip(samples, shapes, strict=True)]
    if maps is not None and evaluate_at == "image":
        maps = [geometry.map_to_image(map_, *shape) for map_, shape in zip(maps, shapes, strict=True)]
    has_saturations = any(sample.saturations for sample in samples)
    evaluation = Evaluation(
        labels=np.array([sample.label for sample in samples], np.int64),
        scores=predictions.scores,
        defect_types=tuple(sample.defect_type for sample in samples),
        masks=tuple(annotation.mask for annotation in annotations),
        maps=None if maps is None else tuple(maps),
        held_out=held_out,
        regions=tuple(annotation.regions for annotation in annotations) if has_saturations else None,
    )
    return evaluation, sum(annotation.lost for annotation in annotations)


def _annotation(sample: Sample, shape: tuple[int, int], geometry: Geometry | None) -> _Annotation:
    """The annotation of an image of this shape, brought to the model's input size where a geometry is given.

    The share of a region that must be found for a full score (sPRO) is the same at both sizes.
    """
    mask, defects = read_mask(sample, shape), read_defects(sample, shape)
    lost = 0
    if mask is not None and geometry is not None:
        mask, lost = _to_input(mask, geometry)
        if defects:
            defects = [(geometry.labels_to_input(defect), share) for defect, share in defects]
            lost = sum(not defect.any() for defect, _ in defects)
    pixels = [(np.flatnonzero(defect), share) for defect, share in defects]
    regions = tuple(Region(found, share * found.size) for found, share in pixels if found.size)
    # A defective image whose mask has no pixel left is treated as unannotated: it counts for image metrics only.
    is_lost = mask is not None and bool(sample.label) and not mask.any()
    return _Annotation(None if is_lost else mask, regions, lost)


def _to_input(mask: NDArray[np.bool_], geometry: Geometry) -> tuple[NDArray[np.bool_], int]:
    """A mask at the model's input size, and how many of its regions have no pixel there."""
    regions, counts = connected_regions(mask[None])
    small = geometry.labels_to_input(regions[0])
    return small > 0, int(counts[0]) - len(np.unique(small[small > 0]))
