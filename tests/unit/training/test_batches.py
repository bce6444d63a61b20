"""The order of images, and how they are stacked."""

from __future__ import annotations

import torch

from pybench.images.geometry import Geometry
from pybench.training import batches
from pybench.training.batches import stack
from tests.conformance.checks import Pictures


def test_every_image_is_seen_once_an_epoch_and_batches_are_full() -> None:
    order = batches._Order(7, 3, seed=0, phase="phase")
    seen = [index for step in range(7) for index in order.indices(step)]
    assert len(seen) == 21
    epochs = [seen[start : start + 7] for start in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    other = batches._Order(7, 3, seed=1, phase="phase")
    assert [other.indices(step) for step in range(3)] != [order.indices(step) for step in range(3)]


def test_stack_brings_images_to_the_input_size() -> None:
    images = Pictures(torch.rand(3, 3, 40, 50, generator=torch.Generator().manual_seed(0)))
    stacked = stack(images, Geometry(48, 32))
    assert stacked.shape == (3, 3, 32, 32)
    assert stacked.dtype == torch.uint8
    exact = Geometry(48, 32).to_input(images.stack) * 255
    assert (stacked.float() - exact).abs().max() <= 0.51
