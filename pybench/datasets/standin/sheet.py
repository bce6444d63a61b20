"""Contact sheets: what the categories look like, with the outlines of their masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from .category import Category, Rendering, render

OUTLINE = (255, 0, 255)
LABEL_HEIGHT = 16


def contact_sheet(
    category: Category, *, columns: int = 6, size: int = 256, tile: int = 128, seed: int = 0
) -> Image.Image:
    """One category: a row of normal images, then a row per defect type with the masks outlined in magenta.

    Images are drawn at ``size`` pixels and shown at ``tile`` pixels.
    """
    rows = [
        _row(f"{category.name}: good", [render(category, "train/good", i, size, seed) for i in range(columns)], tile)
    ]
    for kind in category.defects:
        rows.append(_row(kind, [render(category, f"test/{kind}", i, size, seed) for i in range(columns)], tile))
    return _stacked(rows)


def overview(categories: Sequence[Category], *, size: int = 256, tile: int = 128, seed: int = 0) -> Image.Image:
    """Several categories: a row each with two normal images and one image per defect type."""
    rows = []
    for category in categories:
        pictures = [render(category, "train/good", i, size, seed) for i in range(2)]
        pictures += [render(category, f"test/{kind}", 0, size, seed) for kind in category.defects]
        rows.append(_row(f"{category.name}: good, good, {', '.join(category.defects)}", pictures, tile))
    return _stacked(rows)


def outlined(rendering: Rendering, tile: int) -> Image.Image:
    """A rendering at ``tile`` pixels with the outline of its mask."""
    picture = Image.fromarray(rendering.picture).resize((tile, tile), Image.Resampling.BOX)
    mask = _shrunk(rendering.mask, tile)
    ring = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_dilation(mask)
    pixels = np.asarray(picture).copy()
    pixels[ring] = OUTLINE
    return Image.fromarray(pixels)


def _shrunk(mask: NDArray[np.bool_], tile: int) -> NDArray[np.bool_]:
    """The mask at ``tile`` pixels, in which nothing small gets lost."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize((tile, tile), Image.Resampling.BOX)) > 0


def _row(label: str, renderings: Sequence[Rendering], tile: int) -> Image.Image:
    row = Image.new("RGB", (len(renderings) * (tile + 2), tile + LABEL_HEIGHT), "white")
    ImageDraw.Draw(row).text((2, 1), label, fill="black")
    for place, rendering in enumerate(renderings):
        row.paste(outlined(rendering, tile), (place * (tile + 2), LABEL_HEIGHT))
    return row


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet
