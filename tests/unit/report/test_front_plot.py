"""A selection as a picture: labels, bounds, one latency."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pybench.records import Result
from pybench.report import front_plot
from tests.unit.report.detectors import FIVE, detector, select


def many(count: int) -> list[Result]:
    rng = np.random.default_rng(count)
    results = []
    for number in range(count):
        p95, memory = float(np.exp(rng.normal(3.5, 0.9))), float(rng.uniform(400, 4000))
        values = list(np.clip(0.6 + 0.08 * math.log(p95) + rng.normal(0, 0.02, 3), 0, 1))
        made = detector(("padim", "patchcore", "hetmm")[number % 3], values, p95, memory, params={"k": number})
        results += made
    return results


@pytest.mark.parametrize("count", [3, 25])
def test_labels_cover_neither_each_other_nor_markers(count: int) -> None:
    figure = front_plot.draw(select(many(count), "latency_p95_ms<=40"))
    figure.canvas.draw()
    (axes,) = figure.axes
    names = {f"k={number}" for number in range(count)} if count > 3 else {"padim", "patchcore", "hetmm"}
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() in names]
    assert len(boxes) == count
    points = [axes.transData.transform(line.get_xydata())[0] for line in axes.lines if len(line.get_xydata()) == 1]
    assert len(points) >= count
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not any(box.contains(*point) for point in points)
        assert axes.get_window_extent().padded(1).contains(*box.min)
        assert axes.get_window_extent().padded(1).contains(*box.max)


def test_a_picture_without_limits_or_of_one_latency() -> None:
    for results in (FIVE, detector("a", 0.5, 10)):
        assert front_plot.draw(select(results)).axes
