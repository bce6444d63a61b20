"""Textures from a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pybench.training.textures import Textures
from pybench.types import InputError
from tests.unit.pictures import save
from tests.unit.training.drawing import generator


def test_textures_of_a_folder_are_squares_of_its_images(tmp_path: Path) -> None:
    column = np.arange(90)
    red, blue = np.zeros((40, 90, 3)), np.zeros((40, 90, 3))
    red[..., 0], red[..., 1] = 200, column * 2
    blue[..., 2], blue[..., 1] = 200, column * 2
    save(tmp_path / "a" / "red.png", red)
    save(tmp_path / "b" / "c" / "blue.PNG", blue)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "a" / "._red.png").write_text("what some file managers leave beside an image")
    source, random = Textures(tmp_path, 20), generator()
    drawn = torch.stack([source.draw(random) for _ in range(60)])
    assert drawn.shape == (60, 3, 20, 20)
    is_red = drawn[:, 0].mean((1, 2)) > 0.5
    assert 15 < int(is_red.sum()) < 45
    torch.testing.assert_close(drawn[is_red, 0], torch.full_like(drawn[is_red, 0], 200 / 255), atol=1e-3, rtol=0)
    assert float(drawn[is_red, 2].max()) < 1e-3
    slope = (drawn[:, 1, :, -1] - drawn[:, 1, :, 0]).mean(1) * 255 / 2  # columns across the square, mirrored or not
    assert 15 < int((slope < 0).sum()) < 45
    assert 18 < float(slope.abs().min()) < 25
    assert 33 < float(slope.abs().max()) < 40
    again, random = Textures(tmp_path, 20), generator()
    assert torch.equal(drawn, torch.stack([again.draw(random) for _ in range(60)]))


def test_large_pictures_of_a_folder_are_kept_scaled_down(tmp_path: Path) -> None:
    save(tmp_path / "large.png", generator().integers(0, 255, (200, 300)))
    source = Textures(tmp_path, 16)
    assert source._decode(0).shape == (3, 32, 48)
    assert source.draw(generator()).shape == (3, 16, 16)


def test_a_folder_without_images_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images"):
        Textures(tmp_path, 16)
    with pytest.raises(InputError, match="is no folder"):
        Textures(tmp_path / "missing", 16)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"broken\.png"):
        Textures(tmp_path, 16).draw(generator())
