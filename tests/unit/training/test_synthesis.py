"""Synthetic anomalies: masks and what lies under them, against hand-computed values and independent measurements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from pybench.training import synthesis, textures
from pybench.training.foreground import foreground_mask
from pybench.training.masks import perlin_mask, region_mask
from pybench.training.synthesis import blend, foreground_blend, outlier_exposure, paste, perlin_paste, relight
from pybench.training.textures import Textures
from pybench.types import InputError
from tests.unit.pictures import save

SIZE = 64
RECIPES: dict[str, Callable[[Tensor, np.random.Generator], tuple[Tensor, Tensor]]] = {
    "outlier_exposure": lambda images, random: outlier_exposure(images, random, Textures(None, SIZE)),
    "foreground_blend": lambda images, random: foreground_blend(images, images.flip(0), random, foreground="threshold"),
    "perlin_paste": lambda images, random: perlin_paste(images, random, Textures(None, SIZE)),
}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def disc(row: float, column: float, radius: float, size: int = SIZE) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)


def picture(shape: NDArray[np.bool_], inside: float, outside: float) -> Tensor:
    """A shape of one grey value on a background of another, with a little noise, [3, S, S]."""
    grey = np.where(shape, inside, outside) + generator().normal(0, 0.01, shape.shape)
    return torch.from_numpy(grey.clip(0, 1).astype(np.float32)).expand(3, -1, -1)


def pieces(mask: Tensor) -> int:
    """8-connected regions of a mask."""
    return int(ndimage.label(mask.numpy(), np.ones((3, 3)))[1])


# --- what happens under a mask ------------------------------------------------------------------------------------


def test_blend_is_equation_2_of_002() -> None:
    image, source, mask = noise(3, 8, 8), noise(3, 8, 8, seed=1), noise(8, 8, seed=2) > 0.5
    m = mask.numpy().astype(np.float64)
    a, i = source.double().numpy(), image.double().numpy()
    expected = (a * m) * 0.3 + (i * m) * (1 - 0.3) + i * (1 - m)
    np.testing.assert_allclose(blend(image, source, mask, 0.3).numpy(), expected, atol=1e-6)
    assert torch.equal(blend(image, source, mask, 0.0), image)


def test_paste_is_equation_1_of_004() -> None:
    image, source, mask = noise(3, 8, 8), noise(3, 8, 8, seed=1), noise(8, 8, seed=2) > 0.5
    m = mask.float()
    assert torch.equal(paste(image, source, mask), image * (1 - m) + source * m)


def test_relight_moves_all_pixels_of_the_region_towards_black_or_all_towards_white() -> None:
    image, mask = noise(3, SIZE, SIZE) * 0.8 + 0.1, torch.from_numpy(disc(30, 30, 9))
    darkened = 0
    for seed in range(40):
        lit = relight(image, mask, generator(seed))
        assert torch.equal(lit[:, ~mask], image[:, ~mask])
        towards_black = (lit / image)[:, mask]
        towards_white = ((1 - lit) / (1 - image))[:, mask]
        darkened += bool((lit < image)[:, mask].all())
        factors = towards_black if (lit < image)[:, mask].all() else towards_white
        assert 0.2 <= factors.mean() <= 0.8
        torch.testing.assert_close(factors, factors.mean().expand_as(factors))
    assert 10 <= darkened <= 30


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_relight_changes_black_and_white_too(grey: float) -> None:
    image, mask = torch.full((3, 8, 8), grey), torch.ones(8, 8, dtype=torch.bool)
    for seed in range(10):
        assert (relight(image, mask, generator(seed)) - image).abs().min() >= 0.19


# --- masks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 64, 100])
def test_perlin_masks_are_never_empty_and_cover_a_share_that_varies(size: int) -> None:
    random = generator()
    shares = [float(perlin_mask(size, random).float().mean()) for _ in range(200)]
    assert min(shares) > 0
    assert 0.02 < np.median(shares) < 0.12
    assert max(shares) < 0.6
    assert len({perlin_mask(size, random).numpy().tobytes() for _ in range(20)}) == 20


def test_perlin_masks_shrink_with_the_threshold_and_exist_where_no_noise_reaches_it() -> None:
    low, high = (
        np.mean([float(perlin_mask(SIZE, generator(seed), threshold=threshold).float().mean()) for seed in range(30)])
        for threshold in (0.0, 0.5)
    )
    assert 0.4 < low < 0.6
    assert high < 0.15
    assert 0 < perlin_mask(SIZE, generator(), threshold=1.0).float().mean() < 0.5


def test_perlin_lattices_have_powers_of_two_cells_of_at_least_eight_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def spy(height: int, width: int, cells: tuple[int, int], *, seed: int) -> Tensor:
        seen.add(cells)
        return torch.ones(height, width)

    monkeypatch.setattr(synthesis, "perlin_noise", spy)
    random = generator()
    for _ in range(300):
        perlin_mask(64, random)
    assert seen == {(2**rows, 2**columns) for rows in range(4) for columns in range(4)}


def test_turning_turns() -> None:
    bar = torch.zeros(33, 33)
    bar[16] = 1
    torch.testing.assert_close(synthesis._turned(bar, 90), bar.T, atol=1e-5, rtol=0)
    expected = ndimage.rotate(noise(33, 33).numpy(), 30, order=1, reshape=False)
    inner = slice(9, 24)
    found = synthesis._turned(noise(33, 33), 30).numpy()
    np.testing.assert_allclose(found[inner, inner], expected[inner, inner], atol=1e-4)


@pytest.mark.parametrize("size", [32, 64, 150])
def test_regions_are_connected_within_their_bounds_and_all_over_the_image(size: int) -> None:
    random = generator()
    masks = [region_mask(size, random) for _ in range(400)]
    assert {pieces(mask) for mask in masks} == {1}
    shares = np.array([float(mask.float().mean()) for mask in masks])
    assert shares.min() >= 0.001
    assert shares.max() <= 0.1
    assert np.quantile(shares, 0.1) < 0.007
    assert np.quantile(shares, 0.9) > 0.03
    hits = torch.stack(masks).float().sum(0)
    quarter = size // 4
    blocks = hits.unfold(0, quarter, quarter).unfold(1, quarter, quarter).mean((2, 3))
    assert blocks.min() > 0.2 * blocks.max()


def test_regions_differ_in_shape() -> None:
    def compactness(outline: NDArray[np.float64]) -> float:
        steps = np.diff(np.concatenate([outline, outline[:1]]), axis=0)
        return 4 * np.pi * synthesis._area(outline) / np.hypot(*steps.T).sum() ** 2

    random = generator()
    blobs, polygons, strips = ([compactness(shape(random)) for _ in range(50)] for shape in synthesis._OUTLINES)
    assert np.median(strips) < 0.3 < np.median(polygons) < np.median(blobs) + 0.3
    assert np.ptp(blobs) > 0.1
    assert synthesis._area(np.array([[0, 0], [4, 0], [4, 3]])) == 6


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
    best, threshold = 0.0, synthesis._otsu(values)
    for candidate in np.linspace(values.min(), values.max(), 60)[1:-1]:
        low, high = values[values <= candidate], values[values > candidate]
        best = max(best, len(low) * len(high) * float(high.mean() - low.mean()) ** 2)
    low, high = values[values <= threshold], values[values > threshold]
    assert len(low) * len(high) * float(high.mean() - low.mean()) ** 2 >= 0.9999 * best
    assert 0.35 < threshold < 0.65


# --- recipes ------------------------------------------------------------------------------------------------------


def objects(count: int = 4) -> Tensor:
    """A disc in front of an even background, each at its own place, [B, 3, S, S]."""
    return torch.stack([picture(disc(26 + 3 * n, 30 + 2 * n, 18), 0.3 + 0.1 * n, 0.9) for n in range(count)])


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_spoil_what_the_masks_say_and_nothing_else(name: str) -> None:
    images = objects()
    before = images.clone()
    damaged, masks = RECIPES[name](images, generator())
    assert torch.equal(images, before)
    assert (damaged.shape, masks.shape) == (images.shape, images.shape[:1] + images.shape[2:])
    assert (damaged.dtype, masks.dtype) == (torch.float32, torch.bool)
    assert masks.any((1, 2)).all()
    assert float(damaged.min()) >= 0
    assert float(damaged.max()) <= 1
    outside = ~masks[:, None].expand_as(images)
    assert torch.equal(damaged[outside], images[outside])
    changed = (damaged != images).any(1)[masks].float().mean()
    assert changed > 0.9


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_determined_by_their_generator(name: str) -> None:
    one, other = (RECIPES[name](objects(), generator(3)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[1], RECIPES[name](objects(), generator(4))[1])


@pytest.mark.parametrize("kind", ["threshold", "edges"])
def test_foreground_blend_stays_on_both_foregrounds(kind: Any) -> None:
    images, sources = objects(4), objects(4).flip(0)
    for seed in range(10):
        _, masks = foreground_blend(images, sources, generator(seed), foreground=kind)
        for image, source, mask in zip(images, sources, masks, strict=True):
            assert not (mask & ~(foreground_mask(image, kind) & foreground_mask(source, kind))).any()


def test_foreground_blend_takes_up_to_four_fifths_of_the_source() -> None:
    images, sources = torch.zeros(100, 3, SIZE, SIZE), torch.ones(100, 3, SIZE, SIZE)
    damaged, masks = foreground_blend(images, sources, generator(), foreground="threshold")
    betas = torch.stack([image[:, mask].mean() for image, mask in zip(damaged, masks, strict=True)])
    assert 0 <= betas.min() < 0.05
    assert 0.75 < betas.max() < 0.8
    assert 0.35 < betas.mean() < 0.45


def test_foreground_blend_leaves_an_image_alone_whose_foreground_its_source_does_not_meet() -> None:
    image = picture(disc(20, 20, 8), 0.2, 0.8)[None]
    source = picture(disc(48, 48, 8), 0.2, 0.8)[None]
    damaged, masks = foreground_blend(image, source, generator(), foreground="threshold")
    assert not masks.any()
    assert torch.equal(damaged, image)


def test_outlier_exposure_darkens_lightens_and_replaces() -> None:
    images = torch.full((60, 3, SIZE, SIZE), 0.5)
    damaged, masks = outlier_exposure(images, generator(), Textures(None, SIZE))
    kinds = []
    for image, mask in zip(damaged, masks, strict=True):
        values = image[:, mask]
        even = float(values.max() - values.min()) < 1e-6
        kinds.append(("darker" if values.mean() < 0.5 else "lighter") if even else "replaced")
    assert min(kinds.count(kind) for kind in ("darker", "lighter", "replaced")) >= 10


# --- textures -----------------------------------------------------------------------------------------------------


def test_procedural_textures_are_various() -> None:
    random = generator()
    drawn = torch.stack([Textures(None, 48).draw(random) for _ in range(60)])
    assert drawn.shape == (60, 3, 48, 48)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < 0.05 < 0.95 < float(drawn.max()) <= 1
    assert float(drawn.mean((2, 3)).std(0).min()) > 0.1, "colours differ between textures"
    spread = drawn.std((2, 3)).amax(1)
    assert float(spread.median()) > 0.08, "most have structure"
    fineness = (drawn[..., 1:] - drawn[..., :-1]).abs().mean((1, 2, 3)) / spread
    assert float(fineness.max()) > 4 * float(fineness.min()), "scales differ between textures"


@pytest.mark.parametrize("family", textures._FAMILIES, ids=lambda family: family.__name__)
@pytest.mark.parametrize("size", [32, 96])
def test_every_family_fills_the_unit_interval(family: Callable[..., NDArray[np.float32]], size: int) -> None:
    random = generator()
    for _ in range(20):
        field = family(size, random)
        assert (field.shape, field.dtype) == ((size, size), np.float32)
        assert 0 <= field.min() <= field.max() <= 1


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
