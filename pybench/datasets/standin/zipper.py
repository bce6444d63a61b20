"""Zipper: a closed zipper, two rows of interlocked teeth between dark woven tapes, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point

PITCH = 0.105
TEETH = 64
"""Entries of the tables of teeth; about 20 of each row lie within the image."""

GONE = 0.7
"""Share of a broken tooth from which on nothing of it is left."""

EDGE = 0.70
"""Half width of both tapes together."""


@dataclass
class Fault:
    """How a defective zipper departs from a sound one."""

    gap: Field | float = 0.0
    squeeze: Field | float = 0.0
    fray: Field | float = 0.0
    broken: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, TEETH)))
    fuzz: tuple[Point, float] | None = None


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Both tapes with their weave and seam, then the two rows of teeth."""
    canvas.picture[:] = jitter(dice("table"), (0.70, 0.70, 0.70), 0.006)
    fault = _fault(canvas, dice("fault"), change)
    ragged = 0.008 * canvas.noise(dice("edge"), 0.04)
    width = np.abs(canvas.x) + ragged + fault.fray
    tape = canvas.fill(width - EDGE, jitter(dice("tape"), (0.20, 0.20, 0.215), 0.004), soft=1.5)
    canvas.shade(_weave(canvas, dice), tape)
    opening = np.abs(canvas.x) - fault.gap
    canvas.fill(opening - 0.02, (0.05, 0.05, 0.055), soft=3)
    canvas.fill(np.abs(opening - 0.27) - 0.022, (0.12, 0.12, 0.13), opacity=0.7, soft=3)
    _teeth(canvas, dice, fault)
    if fault.fuzz is not None:
        _fuzz(canvas, dice("fuzz"), *fault.fuzz)
    fabric = tape * canvas.cover(0.33 - np.abs(canvas.x))
    return {"body": tape, "fabric": fabric * canvas.cover(np.abs(canvas.x) - EDGE + 0.06)}


def _fault(canvas: Canvas, rng: np.random.Generator, change: str) -> Fault:
    """The fault of that name, somewhere between the image's top and bottom."""
    middle, reach = float(rng.uniform(-0.65, 0.65)), float(np.exp(rng.uniform(np.log(0.10), np.log(0.40))))
    side, strength = int(rng.integers(2)), float(rng.uniform(0.4, 1.0))
    along = (canvas.y - middle) / reach
    bump = np.clip(1 - along**2, 0, 1) ** 2
    if change == "split_teeth":
        return Fault(gap=0.11 * strength * bump)
    if change == "squeezed_teeth":
        return Fault(squeeze=0.12 * strength * bump * along, gap=-0.05 * strength * bump)
    if change == "fabric_border":
        threads = 0.6 + canvas.noise(rng, (0.3, 0.022))
        return Fault(fray=0.16 * strength * bump * threads * ((canvas.x > 0) == bool(side)))
    if change == "rough":
        return Fault(fuzz=((0.0, middle), 0.3 * reach + 0.06))
    fault = Fault()
    if change == "broken_teeth":
        first, count = TEETH // 2 + round(middle / PITCH), int(rng.integers(1, 5))
        fault.broken[side, first : first + count] = rng.uniform(0.35, 1.0, count)
    return fault


def _weave(canvas: Canvas, dice: Dice) -> Field:
    """Brightness of a herringbone weave with thick and thin yarns."""
    slant = np.abs(canvas.x) * 0.9
    rib, yarn = (canvas.y + slant) / 0.050, canvas.x / 0.034
    ridges = np.abs(2 * (rib - np.floor(rib)) - 1) + 0.5 * np.abs(2 * (yarn - np.floor(yarn)) - 1)
    uneven = canvas.noise(dice("yarn"), (0.5, 0.02)) + canvas.noise(dice("weft"), (0.03, 0.4))
    brightness: Field = 0.62 + 0.5 * ridges + 0.07 * uneven
    return brightness


def _teeth(canvas: Canvas, dice: Dice, fault: Fault) -> None:
    """Two rows of teeth, each a bar with a round head that reaches over the middle."""
    rng = dice("teeth")
    colour = np.asarray(jitter(dice("metal"), (0.66, 0.65, 0.62), 0.006))
    offset = rng.uniform(-0.5, 0.5)
    for side, sign in enumerate((-1, 1)):
        station = (canvas.y + fault.squeeze * sign) / PITCH + offset + 0.5 * side
        place = np.floor(station)
        index = np.clip(place.astype(np.int64) + TEETH // 2, 0, TEETH - 1)
        along = (station - place - 0.5 + rng.normal(0, 0.02, TEETH)[index]) * PITCH
        depth = canvas.x * sign - fault.gap + rng.normal(0, 0.004, TEETH)[index]
        missing = fault.broken[side][index]
        tip = -0.055 + 0.20 * missing
        bar = np.maximum(np.abs(along) - 0.022, np.abs(depth - 0.5 * (tip + 0.225)) - 0.5 * (0.225 - tip))
        head = np.sqrt((depth - tip - 0.03) ** 2 + along**2) - 0.036
        distance = np.where(missing > 0, bar + (missing > GONE), np.minimum(bar, head))
        dome = np.clip(-distance / 0.03, 0, 1)
        lit = (0.55 + 0.55 * dome - 0.22 * along / 0.04) * (1 + rng.normal(0, 0.03, TEETH)[index])
        canvas.fill(distance - 0.012, (0.04, 0.04, 0.045), opacity=0.6, soft=3)
        canvas.fill(distance, np.clip(lit[..., None] * colour, 0, 1))


def _fuzz(canvas: Canvas, rng: np.random.Generator, centre: Point, reach: float) -> None:
    """Torn yarn that stands off around a place of the teeth."""
    for _ in range(int(rng.integers(4, 13))):
        start = (centre[0] + float(rng.normal(0, 0.12)), centre[1] + float(rng.normal(0, 0.5 * reach)))
        way, length = rng.uniform(0, 2 * np.pi), float(rng.uniform(0.06, 0.22))
        middle = (start[0] + 0.5 * length * float(np.cos(way)), start[1] + 0.5 * length * float(np.sin(way)))
        turn = way + rng.normal(0, 0.8)
        end = (middle[0] + 0.5 * length * float(np.cos(turn)), middle[1] + 0.5 * length * float(np.sin(turn)))
        part = canvas.window(middle, length)
        tone = float(rng.choice((0.08, 0.55)))
        part.fill(shapes.polyline(part, [start, middle, end], 0.009), (tone, tone, tone), opacity=0.85)


TORN = defects.one_of(
    defects.cut((0.15, 0.5), (0.02, 0.05)),
    defects.stain((0.06, 0.25), (0.1, 0.3)),
    defects.hole((0.03, 0.12), (0.70, 0.70, 0.70)),
)

ZIPPER = Category(
    name="zipper",
    kind="object",
    draw=draw,
    exposure=(0.32, 0.37),
    poses=Poses(shift=0.02, angle=0.02, scale=0.02),
    strength=0.4,
    defects={
        "broken_teeth": Defect(change="broken_teeth"),
        "fabric_border": Defect(change="fabric_border"),
        "fabric_interior": Defect(paint=TORN, region="fabric"),
        "rough": Defect(change="rough"),
        "split_teeth": Defect(change="split_teeth"),
        "squeezed_teeth": Defect(change="squeezed_teeth"),
    },
)
