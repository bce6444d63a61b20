"""The fifteen categories by name, in MVTec AD's order."""

from __future__ import annotations

from .bottle import BOTTLE
from .cable import CABLE
from .capsule import CAPSULE
from .carpet import CARPET
from .category import Category
from .grid import GRID
from .hazelnut import HAZELNUT
from .leather import LEATHER
from .metal_nut import METAL_NUT
from .pill import PILL
from .screw import SCREW
from .tile import TILE
from .toothbrush import TOOTHBRUSH
from .transistor import TRANSISTOR
from .wood import WOOD
from .zipper import ZIPPER

CATEGORIES: dict[str, Category] = {
    category.name: category
    for category in (
        BOTTLE, CABLE, CAPSULE, CARPET, GRID, HAZELNUT, LEATHER, METAL_NUT,
        PILL, SCREW, TILE, TOOTHBRUSH, TRANSISTOR, WOOD, ZIPPER,
    )
}  # fmt: skip
