"""Places for labels beside their markers, so that none covers another, a marker, or leaves the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # [N, 4]: left, bottom, right, top

_GAPS = (3.0, 10.0, 20.0, 34.0, 50.0, 70.0, 95.0, 125.0)  # between a marker and its label
_ANGLES = np.deg2rad(np.arange(0, 360, 15))
_LEFTWARD = np.tile(1 - np.cos(_ANGLES), len(_GAPS))  # to the right, where all else is equal
_PASSES = 4
_COVERED, _OUTSIDE, _CROSSED, _TOUCHED, _FAR = 20.0, 50.0, 300.0, 2.0, 1.5  # what each costs, per unit
_AIR = 2.0  # kept free around a label


def place(
    anchors: NDArray[np.float64],
    radii: NDArray[np.float64],
    sizes: NDArray[np.float64],
    bounds: tuple[float, float, float, float],
    lines: Boxes,
) -> Boxes:
    """The boxes of labels, each as near to its marker as the others allow; the same input gives the same places.

    Args:
        anchors: [N, 2], the markers' centres; all lengths are in points.
        radii: [N], of the markers.
        sizes: [N, 2], widths and heights of the labels.
        bounds: left, bottom, right and top of where labels may be.
        lines: [M, 4], boxes that a label should rather not touch.
    """
    count = len(anchors)
    markers = np.concatenate([anchors - radii[:, None], anchors + radii[:, None]], axis=1)
    options = [_around(anchors[i], radii[i], sizes[i]) for i in range(count)]
    own_costs = []
    for i, boxes in enumerate(options):
        cost = _COVERED * _overlap(_grown(boxes), markers).sum(1)
        cost += _TOUCHED * np.minimum(_overlap(boxes, lines), 60).sum(1)
        cost += _OUTSIDE * _beyond(boxes, bounds)
        cost += _CROSSED * _hits(anchors[i], boxes, np.delete(markers, i, axis=0)).sum(1)
        own_costs.append(cost + _FAR * _distance(anchors[i], boxes) + _LEFTWARD)
    places: Boxes = np.stack([boxes[cost.argmin()] for boxes, cost in zip(options, own_costs, strict=True)])
    # The most crowded first: they have the fewest ways out.
    spans = np.linalg.norm(anchors[:, None] - anchors[None], axis=2)
    order = np.argsort(np.sort(spans, axis=1)[:, : min(4, count)].sum(1), kind="stable")
    for _ in range(_PASSES):
        for i in order:
            others, boxes = np.delete(places, i, axis=0), options[i]
            cost = own_costs[i] + _COVERED * _overlap(_grown(boxes), others).sum(1)
            cost += _CROSSED * _hits(anchors[i], boxes, others).sum(1)
            places[i] = boxes[cost.argmin()]
    return places


def nearest(point: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """The points of boxes that are nearest to a point, [N, 2]: where a line to a label ends."""
    inside: NDArray[np.float64] = np.clip(point, boxes[:, :2], boxes[:, 2:])
    return inside


def _around(anchor: NDArray[np.float64], radius: float, size: NDArray[np.float64]) -> Boxes:
    """Boxes on rings around a marker, nearest ring first."""
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    corners: list[Boxes] = []
    for gap in _GAPS:
        centres = anchor + directions * (radius + gap) + np.sign(directions.round(9)) * size / 2
        corners.append(np.concatenate([centres - size / 2, centres + size / 2], axis=1))
    return np.concatenate(corners)


def _grown(boxes: Boxes) -> Boxes:
    grown: Boxes = boxes + np.array([-_AIR, -_AIR, _AIR, _AIR])
    return grown


def _overlap(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """[N, M]: the areas that boxes have in common."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    areas: NDArray[np.float64] = np.clip(high - low, 0, None).prod(2)
    return areas


def _beyond(boxes: Boxes, bounds: tuple[float, float, float, float]) -> NDArray[np.float64]:
    left, bottom, right, top = bounds
    out = [left - boxes[:, 0], bottom - boxes[:, 1], boxes[:, 2] - right, boxes[:, 3] - top]
    length: NDArray[np.float64] = np.clip(np.stack(out), 0, None).sum(0)
    return length


def _distance(anchor: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.linalg.norm(nearest(anchor, boxes) - anchor, axis=1)
    return length


def _hits(anchor: NDArray[np.float64], boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """[N, M]: whether the line from a marker to each of its boxes runs through another box."""
    steps = np.linspace(0, 1, 12)[None, :, None]
    points = anchor + steps * (nearest(anchor, boxes) - anchor)[:, None, :]
    inside = (points[:, :, None] > others[None, None, :, :2]) & (points[:, :, None] < others[None, None, :, 2:])
    through: NDArray[np.bool_] = np.any(np.all(inside, axis=3), axis=1)
    return through
