"""Score maps as TIFF files of 16-bit floats, which Pillow does not write."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG = 3, 4  # types of TIFF's values
_HEADER = 8  # bytes


def encode(values: NDArray[np.float16]) -> bytes:
    """A TIFF file (revision 6.0) of one channel, uncompressed and in one strip, of values [H, W]."""
    height, width = values.shape
    pixels = values.astype("<f2").tobytes()
    entries = [
        (256, _LONG, width),
        (257, _LONG, height),
        (258, _SHORT, 16),  # bits
        (259, _SHORT, 1),  # no compression
        (262, _SHORT, 1),  # 0 is black
        (273, _LONG, _HEADER),  # where the pixels begin
        (277, _SHORT, 1),  # one channel
        (278, _LONG, height),  # rows of the strip
        (279, _LONG, len(pixels)),
        (339, _SHORT, 3),  # floating point
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", _HEADER + len(pixels)) + pixels + directory + struct.pack("<I", 0)
