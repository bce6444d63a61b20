"""Where labels go."""

from __future__ import annotations

import numpy as np

from pybench.report.label_placement import place


def test_places_are_beside_their_markers_where_there_is_room() -> None:
    boxes = place(
        np.array([[50.0, 50.0], [150.0, 50.0]]),
        np.array([5.0, 5.0]),
        np.array([[30.0, 10.0], [30.0, 10.0]]),
        (0, 0, 200, 100),
        np.empty((0, 4)),
    )
    assert np.abs(boxes[:, 0] - [58, 158]).max() < 1
    assert np.abs(boxes[:, [1, 3]].mean(1) - 50).max() < 1
