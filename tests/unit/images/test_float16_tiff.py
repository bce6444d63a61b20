"""TIFF files of 16-bit floats, read back by Pillow's parser of tags, which shares nothing with the writer."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pybench.images.float16_tiff import encode

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSET, CHANNELS, ROWS, BYTES, FORMAT = (
    256, 257, 258, 259, 262, 273, 277, 278, 279, 339,
)  # fmt: skip


def read(content: bytes) -> NDArray[np.float16]:
    """The values [H, W] of a TIFF file of 16-bit floats in one uncompressed strip; anything else fails."""
    tags = ImageFileDirectory_v2(content[:8])
    stream = io.BytesIO(content)
    stream.seek(tags.next)
    tags.load(stream)
    assert (tags[BITS], tags[FORMAT], tags[CHANNELS], tags[COMPRESSION], tags[PHOTOMETRIC]) == ((16,), (3,), 1, 1, 1)
    height, width = tags[HEIGHT], tags[WIDTH]
    [start], [size] = tags[OFFSET], tags[BYTES]
    assert (tags[ROWS], size) == (height, 2 * height * width)
    return np.frombuffer(content[start : start + size], "<f2").reshape(height, width)


def test_values_come_back() -> None:
    values = np.random.default_rng(0).normal(0, 100, (5, 7)).astype(np.float16)
    values[0, :3] = 65504, -65504, 6e-8
    again = read(encode(values))
    assert (again.shape, again.dtype) == ((5, 7), np.float16)
    np.testing.assert_array_equal(again, values)


def test_values_of_another_byte_order_and_layout_come_back() -> None:
    values = np.arange(12, dtype=">f2").reshape(4, 3).T
    np.testing.assert_array_equal(read(encode(values)), values)
