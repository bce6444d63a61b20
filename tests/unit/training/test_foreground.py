"""The foreground of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pybench.training import foreground
from pybench.training.foreground import foreground_mask
from tests.unit.training.drawing import SIZE, disc, generator, noise, picture


@pytest.mark.parametrize("kind", ["threshold", "edges"])
@pytest.mark.parametrize(("inside", "outside"), [(0.8, 0.2), (0.2, 0.8)])
def test_foreground_is_the_object_whether_bright_or_dark(kind: Any, inside: float, outside: float) -> None:
    shape = disc(30, 36, 17)
    ring = shape & ~disc(30, 36, 6)  # the hole belongs to the object
    found = foreground_mask(picture(ring, inside, outside), kind).numpy()
    assert (found & shape).sum() / (found | shape).sum() > (0.99 if kind == "threshold" else 0.75)


@pytest.mark.parametrize("kind", ["threshold", "edges"])
def test_everything_is_foreground_where_there_is_no_background(kind: Any) -> None:
    row, column = np.mgrid[:SIZE, :SIZE]
    ribs = torch.from_numpy(np.sin(row / 2 + 1) * np.sin(column / 3 + 1) / 2 + 0.5).float().expand(3, -1, -1)
    for image in (noise(3, SIZE, SIZE), ribs, torch.full((3, SIZE, SIZE), 0.4)):
        assert foreground_mask(image, kind).all()


def test_otsu_parts_two_normal_distributions_in_the_middle() -> None:
    random = generator()
    values = np.concatenate([random.normal(0.2, 0.05, 20_000), random.normal(0.8, 0.05, 20_000)]).astype(np.float32)
    best, threshold = 0.0, foreground._otsu(values)
    for candidate in np.linspace(values.min(), values.max(), 60)[1:-1]:
        low, high = values[values <= candidate], values[values > candidate]
        best = max(best, len(low) * len(high) * float(high.mean() - low.mean()) ** 2)
    low, high = values[values <= threshold], values[values > threshold]
    assert len(low) * len(high) * float(high.mean() - low.mean()) ** 2 >= 0.9999 * best
    assert 0.35 < threshold < 0.65
