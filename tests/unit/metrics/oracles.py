"""Metrics once more, from their definitions: slow, exact in fractions, and sharing nothing with ``pybench.metrics``.

Also the test sets on which the two are compared.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pybench.types import Evaluation, Region


def compute(name: str, evaluation: Evaluation) -> float:
    """A metric's value by the metric's name."""
    return importlib.import_module(f"pybench.metrics.{name}").METRIC.function(evaluation)


# --- test sets ----------------------------------------------------------------------------------------------------


def image_evaluation(
    normal: Sequence[float], anomalous: Sequence[float], held_out: Sequence[float] | None = None
) -> Evaluation:
    """A test set with image scores only."""
    return Evaluation(
        labels=np.repeat([0, 1], [len(normal), len(anomalous)]),
        scores=np.array([*normal, *anomalous], np.float64),
        defect_types=("good",) * len(normal) + ("scratch",) * len(anomalous),
        masks=(None,) * (len(normal) + len(anomalous)),
        maps=None,
        held_out=None if held_out is None else np.array(held_out, np.float64),
    )


def pixel_evaluation(
    masks: Sequence[NDArray[np.bool_] | None], maps: Sequence[NDArray[np.float32]], types: Sequence[str] | None = None
) -> Evaluation:
    """A test set with maps; an image is anomalous if its mask is None or not empty, and scores its map's maximum."""
    labels = [int(mask is None or bool(mask.any())) for mask in masks]
    return Evaluation(
        labels=np.array(labels, np.int64),
        scores=np.array([scores.max() for scores in maps], np.float64),
        defect_types=tuple(types or ("scratch" if label else "good" for label in labels)),
        masks=tuple(masks),
        maps=tuple(np.asarray(scores, np.float32) for scores in maps),
    )


def two_regions() -> Evaluation:
    """A region of one pixel, one of two that touch at a corner, and ten defect-free pixels, three of them normal."""
    mask = np.array([[1, 0, 0, 0, 1], [0, 0, 0, 1, 0]], bool)
    scores = np.array([[0.9, 0.1, 0.1, 0.1, 0.8], [0.5, 0.1, 0.1, 0.5, 0.1]])
    return pixel_evaluation([mask, np.zeros((1, 3), bool)], [scores, np.array([[0.85, 0.5, 0.1]])])


def random_evaluation(seed: int, images: int = 12, levels: int | None = None) -> Evaluation:
    """Images of different sizes, half with one to four square defects that score higher; ``levels`` makes ties."""
    rng = np.random.default_rng(seed)
    masks, maps = [], []
    for i in range(images):
        height, width = rng.integers(20, 40, 2)
        mask = np.zeros((height, width), bool)
        for _ in range(rng.integers(1, 5) if i % 2 else 0):
            top, left, side = rng.integers(0, height - 1), rng.integers(0, width - 1), rng.integers(1, 8)
            mask[top : top + side, left : left + side] = True
        scores = rng.random((height, width)) + 0.4 * mask
        masks.append(mask)
        maps.append((scores if levels is None else np.floor(scores * levels) / levels).astype(np.float32))
    return pixel_evaluation(
        masks, maps, ["good" if i % 2 == 0 else ("scratch", "hole")[i % 4 // 2] for i in range(images)]
    )


def with_regions(evaluation: Evaluation, regions: Sequence[Sequence[Region]]) -> Evaluation:
    return replace(evaluation, regions=tuple(map(tuple, regions)), shared={})


def components(evaluation: Evaluation) -> Evaluation:
    """The same with each connected component as a region that saturates at its size."""
    found = [
        []
        if mask is None
        else [
            Region(np.array(sorted(y * mask.shape[1] + x for y, x in pixels)), len(pixels))
            for pixels in flood_fill(mask)
        ]
        for mask in evaluation.masks
    ]
    return with_regions(evaluation, found)


FINITE = st.floats(-1000, 1000, width=32, allow_subnormal=False)
# From constant scores over heavy ties to scores that are all different.
SCORES = st.sampled_from([st.just(0.5), st.sampled_from([0.0, 1.0]), st.sampled_from([-1.0, 0.0, 0.25, 2.0]), FINITE])


@st.composite
def image_evaluations(draw: st.DrawFn) -> Evaluation:
    """Up to 12 images of each class, possibly none."""
    scores = st.lists(draw(SCORES), max_size=12)
    return image_evaluation(draw(scores), draw(scores))


@st.composite
def pixel_evaluations(draw: st.DrawFn) -> Evaluation:
    """One to five images of up to 6x6 pixels: annotated (from no to all pixels), then also normal or without a mask."""
    elements = draw(SCORES)
    masks: list[NDArray[np.bool_] | None] = []
    maps = []
    for kind in ["annotated", *draw(st.lists(st.sampled_from(["normal", "annotated", "unannotated"]), max_size=4))]:
        shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
        mask = draw(hnp.arrays(bool, shape, fill=st.nothing())) if kind == "annotated" else np.zeros(shape, bool)
        masks.append(None if kind == "unannotated" else mask)
        maps.append(draw(hnp.arrays(np.float32, shape, elements=elements)))
    return pixel_evaluation(masks, maps)


def pixels(evaluation: Evaluation) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Truth and scores of all pixels that have a mask, as scikit-learn wants them."""
    assert evaluation.maps is not None
    pairs = [(m, s) for m, s in zip(evaluation.masks, evaluation.maps, strict=True) if m is not None]
    truth = [np.zeros(0, bool), *(mask.ravel() for mask, _ in pairs)]
    scores = [np.zeros(0, np.float32), *(scores.ravel() for _, scores in pairs)]
    return np.concatenate(truth), np.concatenate(scores)


# --- oracles ------------------------------------------------------------------------------------------------------


def f1_max(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Largest F1, trying every score as a threshold."""
    called = [scores >= threshold for threshold in np.unique(scores)]
    return max(2 * int((c & truth).sum()) / int(c.sum() + truth.sum()) for c in called)


def iou_max(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Largest intersection over union, trying every score as a threshold."""
    called = [scores >= threshold for threshold in np.unique(scores)]
    return max(int((c & truth).sum()) / int((c | truth).sum()) for c in called)


def accuracy_at_youden(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Accuracy at the largest TPR - FPR; of equal ones the highest threshold, infinity included."""
    best, accuracy = Fraction(-2), 0.0
    for threshold in [np.inf, *np.unique(scores)[::-1]]:
        called = scores >= threshold
        rate = Fraction(int(called[truth].sum()), int(truth.sum()))
        index = rate - Fraction(int(called[~truth].sum()), int((~truth).sum()))
        if index > best:
            best, accuracy = index, float((called == truth).mean())
    return accuracy


def flood_fill(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """The 8-connected regions of a mask, each as its list of pixels."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    found = []
    while left:
        region, border = [], [left.pop()]
        while border:
            y, x = border.pop()
            region.append((y, x))
            touching = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= touching
            border.extend(touching)
        found.append(region)
    return found


def pro_curve(evaluation: Evaluation) -> list[tuple[Fraction, Fraction]]:
    """(FPR, PRO) at every distinct score of the test set, descending, after the start at (0, 0)."""
    assert evaluation.maps is not None
    pairs = [(m, s) for m, s in zip(evaluation.masks, evaluation.maps, strict=True) if m is not None]
    region_scores = [[scores[p] for p in region] for mask, scores in pairs for region in flood_fill(mask)]
    normal_scores = [float(v) for mask, scores in pairs for v in scores[~mask]]
    curve = [(Fraction(0), Fraction(0))]
    for threshold in np.unique(np.concatenate([scores.ravel() for _, scores in pairs]))[::-1]:
        overlaps = [Fraction(sum(bool(v >= threshold) for v in region), len(region)) for region in region_scores]
        alarms = Fraction(sum(v >= threshold for v in normal_scores), len(normal_scores))
        curve.append((alarms, sum(overlaps, Fraction(0)) / len(overlaps)))
    return curve


def aupro(evaluation: Evaluation, limit: Fraction) -> float:
    """Area under ``pro_curve`` up to the limit, divided by the limit."""
    return area_under(pro_curve(evaluation), limit)


def spro_curve(evaluation: Evaluation) -> list[tuple[Fraction, Fraction]]:
    """(FPR, sPRO) at every distinct score of the test set, descending, after the start at (0, 0)."""
    assert evaluation.maps is not None
    assert evaluation.regions is not None
    triples = [t for t in zip(evaluation.masks, evaluation.maps, evaluation.regions, strict=True) if t[0] is not None]
    regions = [
        (scores.ravel()[region.pixels].tolist(), Fraction(region.saturation))
        for _, scores, of_image in triples
        for region in of_image
    ]
    normal = [float(v) for mask, scores, _ in triples for v in scores[~mask]]
    curve = [(Fraction(0), Fraction(0))]
    for threshold in np.unique(np.concatenate([scores.ravel() for _, scores, _ in triples]))[::-1].tolist():
        found = [min(sum(v >= threshold for v in values) / saturation, Fraction(1)) for values, saturation in regions]
        alarms = Fraction(sum(v >= threshold for v in normal), len(normal))
        curve.append((alarms, sum(found, Fraction(0)) / len(found)))
    return curve


def area_under(curve: Sequence[tuple[Fraction, Fraction]], limit: Fraction) -> float:
    """Area under a curve's straight lines up to the limit, segment by segment, divided by the limit."""
    area = Fraction(0)
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x1 > limit:
            area += (limit - x0) * (y0 + y0 + (y1 - y0) * (limit - x0) / (x1 - x0)) / 2
            break
        area += (x1 - x0) * (y0 + y1) / 2
    return float(area / limit)
