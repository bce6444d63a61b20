"""An image file to an array of its pixels, at full depth and the right way up.

It reads PNG, JPEG, TIFF, BMP and WebP: 1-bit, grey, palette, RGB, CMYK; 8 bits, 16 bits (grey and colour), TIFF's
packed 12 bits and float in [0, 1]. Values stay as they are stored, with the maximum of their container: pictures of
12-bit cameras that store in 16-bit files are dark, but all are scaled alike. What cannot be decoded without guessing a
scale or losing something is refused; the message says what to do instead.
"""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pybench.types import InputError

Alpha = Literal["refuse", "white", "black"]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
# Pillow's decoders raise all of these on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_GREY_MODES = ("1", "L")
_DEEP_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_COLOUR_MODES = ("P", "RGB", "CMYK", "YCbCr")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# 16-bit colour has no mode of its own in Pillow, which unpacks the high byte only; unpacked with the other byte order,
# the same data gives the low byte.
_SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_OTHER_BYTE_ORDER = {
    f"{mode};16{order}": f"{mode};16{other}" for mode in ("RGB", "RGBA") for order, other in _SWAPPED.items()
}


class Pixels(NamedTuple):
    """``values`` is [H, W] (grey) or [H, W, 3] (sRGB), in [0, ``maximum``]."""

    values: NDArray[Any]
    maximum: float


def decode(path: Path, alpha: Alpha) -> Pixels:
    """Decode an image file; its EXIF orientation is applied, its alpha channel refused or composited.

    Raises:
        InputError: the file is not there, damaged, not an image, too large, or of a kind that is refused.
    """
    data = _read(path)
    try:
        image = _open(data)
        _refuse_unsupported(image)
        values, maximum = _values(image, data)
        # Pillow turns TIFFs upright by itself.
        orientation = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read (PNG, JPEG, TIFF, BMP or WebP)") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error} Cut it into tiles or scale it down.") from error
    except _Refusal as error:
        raise InputError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged or truncated image: {error}") from error
    if values.ndim == 3 and values.shape[2] == 4:
        if alpha == "refuse":
            way_out = "composite it with the dataset option `alpha: white` or `alpha: black`"
            raise InputError(f"{path}: has an alpha channel (transparency); {way_out}")
        values = _composite(values, maximum, background=maximum if alpha == "white" else 0.0)
    return Pixels(_upright(values, orientation), maximum)


def read_array(path: Path) -> NDArray[Any]:
    """The array of a NumPy file (``.npy``), mapped into memory and not read whole.

    Raises:
        InputError: the file is not there, is damaged or no ``.npy`` file, or holds Python objects.
    """
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as a NumPy array: {error}") from error
    return array


class _Refusal(Exception):
    """This kind of image is not read; the message says why and what to do."""


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    return data


def _open(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Up to twice Pillow's limit is large but readable, and beyond that it is an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=_FORMATS)


def _refuse_unsupported(image: Image.Image) -> None:
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise _Refusal(f"holds {image.n_frames} pages or frames; save each as a file of its own")  # type: ignore[attr-defined]
    known = (*_GREY_MODES, *_DEEP_GREY_MODES, *_COLOUR_MODES, *_ALPHA_MODES, "I", "F")
    if image.mode not in known:
        raise _Refusal(f"colour mode {image.mode} is not read; save it as RGB or grey")
    if image.format == "PNG" and _rawmode(image).endswith(";16B") and "transparency" in image.info:
        raise _Refusal("a 16-bit image with a transparent colour is not read; save it without")
    if _is_deep_colour(image) and _rawmode(image) not in _OTHER_BYTE_ORDER:
        raise _Refusal("this layout of 16-bit channels is not read; save it as 16-bit RGB, 16-bit grey or 8 bit")
    if image.format == "TIFF":
        _refuse_unsupported_tiff(image)


def _refuse_unsupported_tiff(image: Image.Image) -> None:
    if image.mode == "I":
        raise _Refusal("signed or 32-bit integers have no agreed maximum; save it as unsigned 8 or 16 bit")
    if _bits(image) > 8 and _tiff_tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        raise _Refusal("more than 8 bits where 0 is white (WhiteIsZero) is not read; save it as BlackIsZero")


def _tiff_tag(image: Image.Image, tag: int, default: Any) -> Any:
    return image.tag_v2.get(tag, default)  # type: ignore[attr-defined]


def _bits(image: Image.Image) -> int:
    """Bits per channel of a TIFF as stored."""
    return int(max(_tiff_tag(image, _BITS_PER_SAMPLE, (1,))))


def _rawmode(image: Image.Image) -> str:
    """How Pillow unpacks the stored pixels of a PNG or TIFF that is not loaded yet."""
    arguments = image.tile[0][3] if image.tile else ""  # type: ignore[attr-defined]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _is_deep_colour(image: Image.Image) -> bool:
    if image.format == "PNG":
        return _rawmode(image).endswith(";16B") and image.mode in ("RGB", "RGBA", "LA")
    return image.format == "TIFF" and _bits(image) > 8 and image.mode in (*_COLOUR_MODES, *_ALPHA_MODES)


def _values(image: Image.Image, data: bytes) -> tuple[NDArray[Any], float]:
    """Stored values [H, W], [H, W, 3] or, with alpha, [H, W, 4]; and their container's maximum."""
    if _is_deep_colour(image):
        return _deep_colour(image, _open(data)), 65535.0
    if image.mode in _DEEP_GREY_MODES or image.mode == "I":
        # Older versions of Pillow open a 16-bit grey PNG as 32-bit integers.
        maximum = 65535.0 if image.format != "TIFF" else 2.0 ** _bits(image) - 1
        return np.asarray(image).astype(np.uint16), maximum
    if image.mode == "F":
        return _unit_floats(np.asarray(image)), 1.0
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return np.asarray(image.convert("RGBA")), 255.0
    return np.asarray(image.convert("L" if image.mode in _GREY_MODES else "RGB")), 255.0


def _deep_colour(image: Image.Image, again: Image.Image) -> NDArray[np.uint16]:
    again.tile = [_with_other_byte_order(tile) for tile in again.tile]  # type: ignore[attr-defined]
    values: NDArray[np.uint16] = np.asarray(image) * np.uint16(256) + np.asarray(again)
    return values


def _with_other_byte_order(tile: Any) -> Any:
    codec, extents, offset, arguments = tile
    if isinstance(arguments, tuple):
        arguments = (_OTHER_BYTE_ORDER[arguments[0]], *arguments[1:])
    else:
        arguments = _OTHER_BYTE_ORDER[arguments]
    # Older versions of Pillow describe a tile by a plain tuple, later ones by a named one.
    return (codec, extents, offset, arguments) if type(tile) is tuple else tile._replace(args=arguments)


def _unit_floats(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # also where one of them is NaN
        raise _Refusal(f"float pixels must lie in [0, 1], found [{low:g}, {high:g}]; scale all images of the set alike")
    return values


def _composite(values: NDArray[Any], maximum: float, background: float) -> NDArray[np.float32]:
    opacity = values[..., 3:].astype(np.float32) / np.float32(maximum)
    composite: NDArray[np.float32] = values[..., :3] * opacity + np.float32(background) * (1 - opacity)
    return composite


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's rotation or mirroring: ``orientation`` is EXIF's (version 2.32), 1 to 8, where 1 is upright."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values
