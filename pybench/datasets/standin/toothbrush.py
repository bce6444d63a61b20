"""Toothbrush: the brush head from above, coloured bristle tufts in rows, on a dark table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import defects, shapes
from .canvas import Canvas, Colour, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Point

ROWS, COLUMNS = 9, 4
STEP_X, STEP_Y = 0.150, 0.172
TUFT = 0.092
DYES = {"white": (0.86, 0.87, 0.86), "blue": (0.16, 0.33, 0.66), "red": (0.74, 0.20, 0.22), "green": (0.22, 0.58, 0.40)}
PATTERN = ("blue", "white", "white", "blue", "red", "blue", "white", "white", "blue")
"""Dye of each row's outer tufts; the inner ones are white in blue rows and blue in white rows."""


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Handle and head plate, then the tufts from the back row to the front row."""
    canvas.picture[:] = jitter(dice("table"), (0.085, 0.085, 0.095), 0.004)
    canvas.shade(1 + 0.10 * canvas.noise(dice("table texture"), 0.03))
    plate = shapes.smooth_union(
        shapes.box(canvas, (0, 0), (0.40, 0.84), 0.34), shapes.box(canvas, (0, 1.1), (0.15, 0.45), 0.05), 0.25
    )
    shadow = np.roll(plate, (canvas.size // 40, canvas.size // 50), axis=(0, 1))
    canvas.fill(shadow, (0.02, 0.02, 0.025), opacity=0.7, soft=14)
    canvas.fill(plate, jitter(dice("plastic"), (0.50, 0.60, 0.66), 0.008))
    canvas.fill(plate + 0.035, jitter(dice("plastic top"), (0.60, 0.69, 0.74), 0.008), soft=4)
    canvas.fill(np.abs(plate + 0.025) - 0.006, (0.80, 0.86, 0.90), opacity=0.5, soft=2)
    _tufts(canvas, dice, change)
    return {"body": canvas.cover(plate), "bristles": canvas.cover(shapes.box(canvas, (0, 0), (0.30, 0.74), 0.1))}


def _tufts(canvas: Canvas, dice: Dice, change: str) -> None:
    """All tufts; a defect concerns one of them, or a few that stand together."""
    rng, tips = dice("tufts"), 1.2 * canvas.noise(dice("tips"), 0.012)
    lean = rng.normal(0, 0.010, (ROWS, COLUMNS, 2)) + rng.normal(0, 0.006, 2)
    girth = TUFT * rng.uniform(0.94, 1.06, (ROWS, COLUMNS))
    dyes = {name: jitter(dice(name), dye, 0.008) for name, dye in DYES.items()}
    fault = dice("fault")
    concerned = _concerned(fault) if change else np.zeros((ROWS, COLUMNS), dtype=bool)
    way, reach, remains = fault.uniform(0, 2 * np.pi), fault.uniform(0.05, 0.13), fault.uniform(0.0, 0.55)
    other = list(DYES)[int(fault.integers(len(DYES)))]
    for row in range(ROWS):
        for column in range(COLUMNS):
            root = ((column - 1.5) * STEP_X * (0.86 if row in (0, ROWS - 1) else 1.0), (row - 4) * STEP_Y)
            shift, radius, dye = lean[row, column], float(girth[row, column]), _dye(row, column)
            if concerned[row, column]:
                _hole(canvas, root)
                if change == "swapped_color":
                    dye = other if other != dye else "green"
                elif change == "missing_bristles":
                    radius *= remains
                elif change == "bent_bristles":
                    shift = shift + reach * np.array((np.cos(way), np.sin(way)))
            if radius > 0.25 * TUFT:
                _tuft(canvas, (root[0] + float(shift[0]), root[1] + float(shift[1])), root, radius, dyes[dye], tips)


def _dye(row: int, column: int) -> str:
    outer = PATTERN[row]
    if column in (0, COLUMNS - 1):
        return outer
    return "blue" if outer == "white" else "white"


def _concerned(rng: np.random.Generator) -> NDArray[np.bool_]:
    """One to three tufts that stand together."""
    chosen = np.zeros((ROWS, COLUMNS), dtype=bool)
    row, column, more = int(rng.integers(ROWS - 1)), int(rng.integers(COLUMNS - 1)), int(rng.integers(3))
    chosen[row, column] = True
    chosen[row + 1, column] |= more > 0
    chosen[row, column + 1] |= more > 1
    return chosen


def _hole(canvas: Canvas, root: Point) -> None:
    """The hole that holds a tuft; a sound tuft hides its own."""
    part = canvas.window(root, 0.09)
    part.fill(shapes.circle(part, root, 0.062), (0.22, 0.26, 0.30), soft=3)


def _tuft(canvas: Canvas, tip: Point, root: Point, radius: float, dye: Colour, tips: NDArray[np.float64]) -> None:
    """A bundle of bristles seen from its tips: dark flank towards the root, bright speckled crown."""
    part = canvas.window(tip, radius + abs(tip[0] - root[0]) + abs(tip[1] - root[1]) + 0.05)
    flank = shapes.capsule(part, root, tip, radius * 0.86)
    colour = np.asarray(dye, dtype=np.float64)
    part.fill(flank - 0.012, colour * 0.35, soft=4)
    speckle = tips[part.rows, part.columns]
    crown = shapes.circle(part, tip, radius) + 0.010 * speckle
    dome = 0.95 + 0.28 * np.clip(-crown / radius, 0, 1)
    part.fill(crown, np.clip((dome * (0.82 + 0.20 * speckle))[..., None] * colour, 0, 1), soft=1.5)


CONTAMINATION = defects.one_of(defects.blob((0.05, 0.17), (0.8, 1.0)), defects.hair((0.3, 1.0), (0.016, 0.035)))

TOOTHBRUSH = Category(
    name="toothbrush",
    kind="object",
    draw=draw,
    exposure=(0.255, 0.31),
    poses=Poses(shift=0.03, angle=0.05, scale=0.02),
    strength=0.4,
    defects={
        "bent_bristles": Defect(change="bent_bristles"),
        "contamination": Defect(paint=CONTAMINATION, region="bristles"),
        "missing_bristles": Defect(change="missing_bristles"),
        "swapped_color": Defect(change="swapped_color"),
    },
)
