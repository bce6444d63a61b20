"""Decoding of image files: kinds, orientation, transparency, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pybench.images.decoding import read_array
from pybench.images.loading import read_image
from pybench.types import InputError, Sample
from tests.unit import pictures

GREY16 = np.array([[0, 255, 256], [4095, 32768, 65535]], dtype=np.uint16)


COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


# A ramp, which JPEG and WebP keep well.
SMOOTH = np.repeat(np.linspace(0, 255, 16).reshape(1, 16, 1), 16, axis=0).repeat(3, axis=2).astype(np.uint8)


def image_of(path: Path, **options: object) -> np.ndarray:
    return read_image(Sample(path, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff"])
def test_lossless_colour_is_exact(tmp_path: Path, suffix: str) -> None:
    image = image_of(pictures.save(tmp_path / f"a.{suffix}", COLOUR))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, COLOUR.astype(np.float32) / 255)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_colour_is_near(tmp_path: Path, suffix: str) -> None:
    image = image_of(pictures.save(tmp_path / f"a.{suffix}", SMOOTH, quality=100))
    np.testing.assert_allclose(image, SMOOTH / 255, atol=0.02)


def test_grey_fills_three_channels(tmp_path: Path) -> None:
    image = image_of(pictures.save(tmp_path / "a.png", COLOUR[..., 0]))
    assert image.shape == (5, 7, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], COLOUR[..., 0].astype(np.float32) / 255)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(image_of(tmp_path / "a.png")[0, :, 0], [0, 1])


def test_palette_gives_its_colours(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 128, 255])
    picture.putdata([1, 0])
    picture.save(tmp_path / "a.png")
    np.testing.assert_allclose(image_of(tmp_path / "a.png")[0], [[0, 128 / 255, 1], [1, 0, 0]], atol=1e-7)


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(image_of(tmp_path / "a.tif")[0, 0], [1, 0, 0])


def test_grey_16_bit_png_is_scaled(tmp_path: Path) -> None:
    image = image_of(pictures.save_png16(tmp_path / "a.png", GREY16, pictures.PNG_GREY))
    np.testing.assert_array_equal(image[..., 1], GREY16.astype(np.float32) / 65535)


@pytest.mark.parametrize("byte_order", ["I;16", "I;16B"])
def test_grey_16_bit_tiff_is_scaled(tmp_path: Path, byte_order: str) -> None:
    data = GREY16.astype(">u2" if byte_order.endswith("B") else "<u2").tobytes()
    Image.frombytes(byte_order, (3, 2), data).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(image_of(tmp_path / "a.tif")[..., 1], GREY16.astype(np.float32) / 65535)


def test_colour_16_bit_png_keeps_all_bits(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (6, 5, 3), dtype=np.uint16)
    image = image_of(pictures.save_png16(tmp_path / "a.png", values, pictures.PNG_RGB))
    np.testing.assert_array_equal(image, values.astype(np.float32) / 65535)


def test_colour_16_bit_tiff_keeps_all_bits(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 65536, (6, 5, 3), dtype=np.uint16)
    data = values.astype("<u2").tobytes()
    path = pictures.save_tiff(tmp_path / "a.tif", data, width=5, height=6, bits=(16, 16, 16), photometric=2)
    np.testing.assert_array_equal(image_of(path), values.astype(np.float32) / 65535)


def test_packed_12_bit_tiff_is_scaled_by_its_own_maximum(tmp_path: Path) -> None:
    data = bytes([0xFF, 0xF8, 0x00])  # 4095 and 2048
    path = pictures.save_tiff(tmp_path / "a.tif", data, width=2, height=1, bits=(12,))
    np.testing.assert_allclose(image_of(path)[0, :, 0], [1, 2048 / 4095])


def test_float_within_0_and_1_is_taken_as_it_is(tmp_path: Path) -> None:
    data = np.array([[0.0, 0.3, 1.0]], dtype="<f4")
    path = pictures.save_tiff(tmp_path / "a.tif", data.tobytes(), width=3, height=1, bits=(32,), sample_format=3)
    np.testing.assert_array_equal(image_of(path)[..., 0], data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    # In the upright picture the light grows downwards and, half as much, to the right.
    upright = np.add.outer(np.arange(8) * 16, np.arange(16) * 8).astype(np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if suffix in ("jpg", "webp") else {}
    path = pictures.save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, **options)
    np.testing.assert_allclose(image_of(path)[..., 0], upright / 255, atol=0.03)


def transparent_kinds(folder: Path) -> dict[str, Path]:
    """Files of two pixels, red and wholly transparent (grey instead of red where there is no colour)."""
    rgba = Image.fromarray(np.array([[[255, 0, 0, 255], [0, 255, 0, 0]]], dtype=np.uint8))
    rgba.save(folder / "rgba.png")
    rgba.convert("LA").save(folder / "la.png")
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    palette.save(folder / "palette.png", transparency=1)
    rgba.convert("RGB").save(folder / "key.png", transparency=(0, 255, 0))
    values = np.array([[[65535, 0, 0, 65535], [0, 65535, 0, 0]]], dtype=np.uint16)
    pictures.save_png16(folder / "deep.png", values, pictures.PNG_RGB_ALPHA)
    return {path.stem: path for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("kind", ["rgba", "la", "palette", "key", "deep"])
def test_transparency_is_refused_or_composited(tmp_path: Path, kind: str) -> None:
    path = transparent_kinds(tmp_path)[kind]
    with pytest.raises(InputError, match=rf"{kind}\.png: has an alpha channel.*`alpha: white` or `alpha: black`"):
        image_of(path)
    opaque = [76 / 255] * 3 if kind == "la" else [1, 0, 0]
    np.testing.assert_allclose(image_of(path, alpha="white")[0], [opaque, [1, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(image_of(path, alpha="black")[0], [opaque, [0, 0, 0]], atol=1e-6)


def test_half_transparent_is_blended(tmp_path: Path) -> None:
    path = pictures.save(tmp_path / "a.png", [[[200, 100, 0, 51]]])
    np.testing.assert_allclose(
        image_of(path, alpha="white")[0, 0], [(200 * 0.2 + 204) / 255, 224 / 255, 0.8], atol=1e-6
    )


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: no such file"):
        image_of(tmp_path / "gone.png")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        image_of(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match=r"a\.png: the file is empty"):
        image_of(tmp_path / "a.png")


def test_text_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"a\.png: not an image"):
        image_of(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_truncated_image(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    path = pictures.save(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"a\.{suffix}: (damaged or truncated|not an image)"):
        image_of(path)


def test_a_flipped_byte_is_noticed_in_png(tmp_path: Path) -> None:
    path = pictures.save(tmp_path / "a.png", COLOUR)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        image_of(path)


def test_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pictures.save(tmp_path / "a.png", np.zeros((20, 20)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"a\.png: .*400 pixels.*exceeds limit of 200 pixels.*tiles"):
        image_of(path)


def test_several_pages_are_refused(tmp_path: Path) -> None:
    page = Image.new("L", (4, 4))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    with pytest.raises(InputError, match="holds 3 pages"):
        image_of(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"bits": (32,)}, "no agreed maximum"),
        ({"bits": (16,), "sample_format": 2}, "no agreed maximum"),
        ({"bits": (16,), "photometric": 0}, "WhiteIsZero"),
        ({"bits": (16, 16, 16), "photometric": 2, "planar": 2}, "this layout of 16-bit channels"),
    ],
)
def test_tiffs_without_a_clear_meaning_are_refused(tmp_path: Path, tags: dict[str, int], reason: str) -> None:
    path = pictures.save_tiff(tmp_path / "a.tif", bytes(6 * 4 * 3), width=3, height=2, **tags)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=reason):
        image_of(path)


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_float_beyond_0_and_1_is_refused(tmp_path: Path, value: float) -> None:
    data = np.array([0.5, value], dtype="<f4").tobytes()
    path = pictures.save_tiff(tmp_path / "a.tif", data, width=2, height=1, bits=(32,), sample_format=3)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        image_of(path)


def test_16_bit_png_with_transparent_colour_is_refused(tmp_path: Path) -> None:
    key = pictures.png_chunk(b"tRNS", bytes(2))
    path = pictures.save_png16(tmp_path / "a.png", GREY16, pictures.PNG_GREY, extra=key)
    with pytest.raises(InputError, match="transparent colour"):
        image_of(path, alpha="white")


def test_an_array_is_read_and_what_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    assert read_array(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    damaged = path.read_bytes()[:-1]
    with path.open("wb") as file:
        np.savez(file, masks=np.arange(6))
    archive = path.read_bytes()
    np.save(path, np.array([{}]), allow_pickle=True)
    objects = path.read_bytes()
    for content in (damaged, archive, objects, b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npy: cannot be read as a NumPy array"):
            read_array(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.npy: no such file"):
        read_array(path)
