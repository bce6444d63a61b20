"""Warps: rotation and crop of an image and its mask, and the share of a defect that stays in view."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pybench.images.loading import read_image, read_mask
from pybench.images.warping import share_kept, warp_image, warp_mask
from pybench.types import Sample, Warp
from tests.unit import pictures

WHOLE = (0.0, 0.0, 1.0, 1.0)


sides = st.floats(0.3, 1.0)


places = st.floats(0.0, 1.0)


shapes = st.tuples(st.integers(8, 40), st.integers(8, 40))


@st.composite
def warps(draw: st.DrawFn, fill: str = "edge") -> Warp:
    side = draw(sides)
    top, left = draw(places) * (1 - side), draw(places) * (1 - side)
    return Warp(draw(st.floats(-180, 180)), (top, left, side, side), fill)  # type: ignore[arg-type]


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 1), dtype=np.float32)


def test_no_rotation_and_no_crop_change_nothing() -> None:
    image = noise((7, 11))
    np.testing.assert_allclose(warp_image(image, Warp(0.0, WHOLE, "black")), image, atol=1e-6)


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (180.0, 2), (-90.0, 3)])
def test_quarter_turns_go_counter_clockwise(angle: float, turns: int) -> None:
    image = noise((9, 9))
    np.testing.assert_allclose(warp_image(image, Warp(angle, WHOLE, "edge")), np.rot90(image, turns), atol=1e-5)
    mask = image[..., 0] > 0.5
    np.testing.assert_array_equal(warp_mask(mask, Warp(angle, WHOLE, "edge")), np.rot90(mask, turns))


def test_half_crop_is_magnified_twice() -> None:
    mask = noise((10, 14))[..., 0] > 0.5
    quarter = mask[5:, 7:]
    magnified = quarter.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(warp_mask(mask, Warp(0.0, (0.5, 0.5, 0.5, 0.5), "edge")), magnified)


def test_a_point_lands_where_trigonometry_says() -> None:
    # 100 x 200 pixels; a spot 30 to the right of the centre, turned by 30 degrees, then cropped.
    row, column, angle = 49.5, 129.5, math.radians(30)
    spot = np.exp(-((np.arange(100)[:, None] - row) ** 2 + (np.arange(200)[None] - column) ** 2) / 18)
    warp = Warp(30.0, (0.1, 0.3, 0.6, 0.6), "black")
    moved = warp_image(spot[..., None].astype(np.float32), warp)[..., 0]
    turned_row, turned_column = 49.5 - 30 * math.sin(angle), 99.5 + 30 * math.cos(angle)
    expected = ((turned_row + 0.5 - 10) / 0.6 - 0.5, (turned_column + 0.5 - 60) / 0.6 - 0.5)
    assert ndimage.center_of_mass(moved) == pytest.approx(expected, abs=0.05)


@settings(max_examples=50, deadline=None)
@given(warp=warps(), shape=shapes, fill=st.sampled_from(["edge", "reflect"]))
def test_scipy_gives_the_same_image(warp: Warp, shape: tuple[int, int], fill: str) -> None:
    """Composed of two separate maps here: turn about the centre, then crop and magnify."""
    warp = Warp(warp.angle, warp.crop, fill)  # type: ignore[arg-type]
    size, angle = np.array(shape), math.radians(warp.angle)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    about_centre = (size - 1) / 2 - turn @ ((size - 1) / 2)
    scale = np.array(warp.crop[2:])
    shift = np.array(warp.crop[:2]) * size + scale / 2 - 0.5
    image = noise(shape)
    expected = ndimage.affine_transform(
        image[..., 0].astype(np.float64),
        turn * scale,
        turn @ shift + about_centre,
        order=1,
        mode={"edge": "nearest", "reflect": "reflect"}[fill],
    )
    np.testing.assert_allclose(warp_image(image, warp)[..., 0], expected, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(warp=warps(), shape=shapes, fill=st.sampled_from(["edge", "reflect"]))
def test_mask_and_image_share_one_geometry(warp: Warp, shape: tuple[int, int], fill: str) -> None:
    """An image of its own coordinates says where each of its pixels comes from; the mask must come from there, too."""
    warp = Warp(warp.angle, warp.crop, fill)  # type: ignore[arg-type]
    coordinates = np.stack(np.indices(shape), axis=-1).astype(np.float32)
    origin = warp_image(coordinates, warp)
    mask = noise(shape)[..., 0] > 0.5
    rows, columns = np.rint(origin).astype(int).transpose(2, 0, 1)
    between_pixels = (np.abs(origin % 1 - 0.5) < 1e-3).any(axis=-1)
    differs = warp_mask(mask, warp) != mask[rows, columns]
    assert not (differs & ~between_pixels).any()


@settings(max_examples=50, deadline=None)
@given(warp=warps(fill="black"), shape=shapes)
def test_black_fill_is_what_lies_outside(warp: Warp, shape: tuple[int, int]) -> None:
    white = np.ones((*shape, 3), dtype=np.float32)
    moved = warp_image(white, warp)
    assert set(np.unique(np.round(moved, 5))) <= {0.0, 1.0}
    np.testing.assert_array_equal(moved[..., 0] > 0.5, warp_mask(np.ones(shape, dtype=np.bool_), warp))
    assert (warp_image(white, Warp(warp.angle, warp.crop, "edge")) > 0.999).all()


@pytest.mark.parametrize("fill", ["edge", "reflect", "black"])
def test_a_mask_drawn_as_an_image_lands_on_the_same_pixels(tmp_path: Path, fill: str) -> None:
    disc = np.hypot(*(np.indices((60, 80)) - np.array([20, 50])[:, None, None])) < 9
    image = pictures.save(tmp_path / "a.png", disc * 255)
    mask = pictures.save(tmp_path / "m.png", disc * 255)
    warp = Warp(25.0, (0.05, 0.2, 0.75, 0.75), fill)  # type: ignore[arg-type]
    sample = Sample(image, label=1, masks=(mask,), warp=warp)
    seen, marked = read_image(sample)[..., 0], read_mask(sample, (60, 80))
    assert seen.shape == (60, 80)
    assert marked is not None
    assert (seen[ndimage.binary_erosion(marked)] > 0.5).all()
    assert (seen[~ndimage.binary_dilation(marked)] < 0.5).all()
    # The crop magnifies areas by 1 / 0.75 squared.
    assert marked.sum() == pytest.approx(disc.sum() / 0.75**2, rel=0.05)


def test_share_kept_counts_the_original_pixels() -> None:
    mask = np.zeros((40, 40), dtype=np.bool_)
    mask[10:20, 10:30] = True
    assert share_kept(mask, Warp(0.0, WHOLE, "edge")) == 1
    assert share_kept(mask, Warp(0.0, (0.0, 0.5, 0.5, 0.5), "edge")) == 0.5
    assert share_kept(mask, Warp(0.0, (0.5, 0.5, 0.5, 0.5), "edge")) == 0
    assert share_kept(np.zeros_like(mask), Warp(0.0, (0.5, 0.5, 0.5, 0.5), "edge")) == 1


@settings(max_examples=30, deadline=None)
@given(warp=warps(fill="black"))
def test_share_kept_is_the_visible_area(warp: Warp) -> None:
    mask = np.zeros((120, 120), dtype=np.bool_)
    mask[20:70, 30:110] = True
    visible = warp_mask(mask, warp).sum() * warp.crop[2] * warp.crop[3] / mask.sum()
    assert share_kept(mask, warp) == pytest.approx(visible, abs=0.03)
