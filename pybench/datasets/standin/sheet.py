"""Contact sheets: what the categories look like, with the outlines of their masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from .category import Category, Rendering, render

OUTLINE = (255, 0, 255)
LABEL_HEIGHT = 14
GAP = 2


def contact_sheet(category: Category, *, rows: int = 3, size: int = 256, tile: int = 128, seed: int = 0) -> Image.Image:
    """One category: a column of normal images, then a column per defect type with its masks outlined in magenta.

    Images are drawn at ``size`` pixels and shown at ``tile`` pixels.
    """
    columns = [_column("good", [render(category, "train/good", index, size, seed) for index in range(rows)], tile)]
    for kind in category.defects:
        columns.append(_column(kind, [render(category, f"test/{kind}", i, size, seed) for i in range(rows)], tile))
    sheet = Image.new("RGB", (len(columns) * (tile + GAP), columns[0].height), "white")
    for place, column in enumerate(columns):
        sheet.paste(column, (place * (tile + GAP), 0))
    return sheet


def outlined(rendering: Rendering, tile: int) -> Image.Image:
    """A rendering at ``tile`` pixels with the outline of its mask, two pixels away from it."""
    picture = Image.fromarray(rendering.picture).resize((tile, tile), Image.Resampling.BOX)
    mask = Image.fromarray(rendering.mask).convert("L").resize((tile, tile), Image.Resampling.BOX)
    near = ndimage.binary_dilation(np.asarray(mask) > 0, iterations=2)
    pixels = np.asarray(picture).copy()
    pixels[ndimage.binary_dilation(near) & ~near] = OUTLINE
    return Image.fromarray(pixels)


def _column(label: str, renderings: Sequence[Rendering], tile: int) -> Image.Image:
    column = Image.new("RGB", (tile, LABEL_HEIGHT + len(renderings) * (tile + GAP)), "white")
    ImageDraw.Draw(column).text((1, 1), label, fill="black")
    for place, rendering in enumerate(renderings):
        column.paste(outlined(rendering, tile), (0, LABEL_HEIGHT + place * (tile + GAP)))
    return column
