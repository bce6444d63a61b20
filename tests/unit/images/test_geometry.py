"""Images, masks and maps meet at the same pixels."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from pybench.images.geometry import Geometry


def test_a_mask_lands_where_its_image_does() -> None:
    mask = np.zeros((90, 120), int)
    mask[30:60, 40:90] = 1
    geometry = Geometry(60, 48)
    image = torch.from_numpy(mask.astype(np.float32)).expand(1, 3, -1, -1)
    seen = geometry.to_input(image)[0, 0].numpy() > 0.5
    assert (seen == (geometry.labels_to_input(mask) > 0)).mean() > 0.99
    assert seen.shape == (48, 48)


def test_labels_are_sampled_at_pixel_centres() -> None:
    labels = np.arange(16).reshape(4, 4)
    assert Geometry(2).labels_to_input(labels).tolist() == [[5, 7], [13, 15]]
    assert np.array_equal(Geometry(4).labels_to_input(labels), labels)
    assert Geometry(4, 2).labels_to_input(labels).tolist() == [[5, 6], [9, 10]]


def test_a_map_comes_back_to_its_image_and_cropped_pixels_score_the_minimum() -> None:
    geometry = Geometry(40, 20)
    score_map = np.full((20, 20), 2.0, np.float32)
    score_map[5, 5], score_map[0, 0] = 9.0, 1.0
    full = geometry.map_to_image(score_map, 80, 160)
    assert full.shape == (80, 160)
    assert full[:18].max() == full[-18:].max() == 1.0
    peak = np.unravel_index(full.argmax(), full.shape)
    assert np.allclose(np.array(peak) + 0.5, [15.5 * 2, 15.5 * 4], atol=2)


def test_bicubic_is_pillows_and_does_not_leave_the_range_of_brightness() -> None:
    edge = np.zeros((40, 40), np.float32)
    edge[:, 20:] = 1
    seen = Geometry(64, interpolation="bicubic").to_input(torch.from_numpy(edge).expand(1, 3, -1, -1))[0, 0].numpy()
    expected = np.asarray(Image.fromarray(edge).resize((64, 64), Image.Resampling.BICUBIC))
    assert expected.max() > 1.01
    np.testing.assert_allclose(seen, expected.clip(0, 1), atol=0.02)
