"""Small image files for tests, also of kinds that Pillow cannot write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_GREY, PNG_RGB, PNG_GREY_ALPHA, PNG_RGB_ALPHA = 0, 2, 4, 6


def save(path: Path, values: Any, **options: Any) -> Path:
    """Write 8-bit values [H, W], [H, W, 3] or [H, W, 4] in the format that the name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path, **options)
    return path


def save_png16(path: Path, values: NDArray[np.uint16], colour_type: int, extra: bytes = b"") -> Path:
    """Write a 16-bit PNG as the standard describes it, every row filtered by its left neighbour (Sub) or not at all.

    ``extra`` holds further chunks, to stand before the pixels.
    """
    height, width = values.shape[:2]
    rows = values.reshape(height, -1).astype(">u2").view(np.uint8)
    pixel_bytes = rows.shape[1] // width
    lines = [_filtered(row, pixel_bytes) if y % 2 else b"\0" + row.tobytes() for y, row in enumerate(rows)]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(lines))
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def save_tiff(
    path: Path, data: bytes, *, width: int, height: int, bits: tuple[int, ...], photometric: int = 1, **tags: int
) -> Path:
    """Write a little-endian TIFF of one uncompressed strip.

    ``photometric`` is 0 (0 is white), 1 (0 is black) or 2 (RGB); ``tags`` may give ``orientation``, ``sample_format``
    (1 unsigned, 2 signed, 3 float) and ``planar`` (2: one plane per channel).
    """
    after_header = 8
    bits_at = after_header + len(data)
    bits_value = bits[0] if len(bits) == 1 else bits_at
    entries = {
        256: (3, 1, width),
        257: (3, 1, height),
        258: (3, len(bits), bits_value),
        259: (3, 1, 1),
        262: (3, 1, photometric),
        273: (4, 1, after_header),
        274: (3, 1, tags.get("orientation", 1)),
        277: (3, 1, len(bits)),
        278: (3, 1, height),
        279: (4, 1, len(data)),
        284: (3, 1, tags.get("planar", 1)),
        339: (3, 1, tags.get("sample_format", 1)),
    }
    bits_data = struct.pack(f"<{len(bits)}H", *bits)
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    header = b"II*\0" + struct.pack("<I", bits_at + len(bits_data))
    path.write_bytes(header + data + bits_data + directory + struct.pack("<I", 0))
    return path


def _filtered(row: NDArray[np.uint8], pixel_bytes: int) -> bytes:
    left = np.concatenate([np.zeros(pixel_bytes, dtype=np.uint8), row[:-pixel_bytes]])
    return b"\1" + (row - left).tobytes()
