"""Transistor: a black three-legged package (TO-92) whose leads stand in the holes of a copper strip board."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, Pose, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point

GRID = 0.22
"""Distance of the board's holes; one of them lies at (0, HOLE_ROW), where the middle lead ends."""

HOLE_ROW = 0.56
CASE = (0.0, -0.22)
CASE_HALF = (0.30, 0.27)
LEADS = (-1, 0, 1)

SEGMENTS: dict[str, tuple[Point, Point]] = {
    "a": ((-1, -2), (1, -2)), "b": ((1, -2), (1, 0)), "c": ((1, 0), (1, 2)), "d": ((-1, 2), (1, 2)),
    "e": ((-1, 0), (-1, 2)), "f": ((-1, -2), (-1, 0)), "g": ((-1, 0), (1, 0)),
}  # fmt: skip
PRINT = ("afgcd", "fgbc", "abc")
"""The segments of the digits 5, 4 and 7."""


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Board, then the shadows, the leads and the case of the transistor."""
    _board(canvas, dice)
    place = _place(canvas, dice("place"), change == "misplaced")
    outline = shapes.box(place, CASE, CASE_HALF, 0.05)
    if change != "missing":
        below = place.window((0.0, 0.26), 0.48)
        leads = _leads(below, dice, change)
        both = outline.copy()
        both[below.rows, below.columns] = np.minimum(both[below.rows, below.columns], leads)
        shadow = np.roll(both, (canvas.size // 36, canvas.size // 28), axis=(0, 1))
        canvas.fill(shadow, (0.10, 0.07, 0.05), opacity=0.55, soft=14)
        tin = np.asarray(jitter(dice("tin"), (0.66, 0.65, 0.62), 0.008))
        lit = 0.55 + 0.75 * np.clip(-leads / 0.026, 0, 1)
        below.fill(leads, np.clip(lit[..., None] * tin, 0, 1))
        _case(place.window(CASE, 0.45), dice)
    return {"body": canvas.cover(outline + 0.02)}


def _board(canvas: Canvas, dice: Dice) -> None:
    """Copper strips along x on brown laminate, with a hole at every grid point."""
    canvas.picture[:] = jitter(dice("laminate"), (0.42, 0.27, 0.15), 0.006)
    u, v = canvas.x / GRID, (canvas.y - HOLE_ROW) / GRID
    u, v = (u - np.round(u)) * GRID, (v - np.round(v)) * GRID
    strip = np.abs(v) - 0.082 + 0.004 * canvas.noise(dice("etching"), 0.08)
    streaks = 1 + 0.09 * canvas.noise(dice("copper streaks"), (0.5, 0.02))
    copper = np.asarray(jitter(dice("copper"), (0.74, 0.47, 0.28), 0.008))
    canvas.fill(strip, np.clip(streaks[..., None] * copper, 0, 1), soft=1.5)
    hole = np.sqrt(u * u + v * v) - 0.048
    canvas.fill(hole - 0.012, (0.36, 0.22, 0.13), opacity=0.6, soft=2)
    canvas.fill(hole, (0.05, 0.04, 0.035), soft=1.5)


def _place(canvas: Canvas, rng: np.random.Generator, misplaced: bool) -> Canvas:
    """The transistor's own canvas: where it belongs but for a little play, or shifted and turned away."""
    x, y, turn = rng.normal(0, 0.008), rng.normal(0, 0.008), rng.normal(0, 0.012)
    way, far, skew = rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.3), rng.uniform(0.08, 0.6) * rng.choice((-1, 1))
    if misplaced:
        x, y, turn = x + far * np.cos(way), y + far * np.sin(way), turn + skew
    pose = canvas.pose
    cos, sin = float(np.cos(pose.angle)), float(np.sin(pose.angle))
    shift = (pose.shift[0] + pose.scale * (cos * x - sin * y), pose.shift[1] + pose.scale * (sin * x + cos * y))
    place = Canvas(canvas.size, Pose(shift, pose.angle + float(turn), pose.scale))
    place.picture = canvas.picture
    return place


def _leads(canvas: Canvas, dice: Dice, change: str) -> Field:
    """Distance to the three leads, of which one may be bent or cut."""
    rng, fault = dice("leads"), dice("fault")
    concerned = int(fault.integers(3))
    bow, slip = float(fault.uniform(0.07, 0.22) * fault.choice((-1, 1))), float(fault.normal(0, 0.05))
    left = float(fault.uniform(0.12, 0.75))
    distance = np.full(canvas.x.shape, np.inf)
    for index, side in enumerate(LEADS):
        play = rng.normal(0, 0.005, 3)
        bends = [(0.15 * side + play[0], 0.13), (GRID * side + play[1], 0.31 + play[2])]
        path = [(0.15 * side, -0.05), *bends, (GRID * side, HOLE_ROW)]
        if index == concerned and change == "bent_lead":
            path[2] = (path[2][0] + bow, path[2][1])
            path[3] = (path[3][0] + 0.5 * bow + slip, path[3][1])
        if index == concerned and change == "cut_lead":
            path = _shortened(path, 0.07 + left * (HOLE_ROW - 0.07))
        np.minimum(distance, shapes.polyline(canvas, path, 0.027), out=distance)
    return distance


def _shortened(path: list[Point], end: float) -> list[Point]:
    """The part of a downward path above ``y = end``."""
    x = float(np.interp(end, [point[1] for point in path], [point[0] for point in path]))
    return [*(point for point in path if point[1] < end), (x, end)]


def _case(canvas: Canvas, dice: Dice) -> None:
    """Moulded case with bevelled edges, a dull flat face and its printed number."""
    outline = shapes.box(canvas, CASE, CASE_HALF, 0.05)
    black = np.asarray(jitter(dice("case"), (0.105, 0.105, 0.11), 0.004))
    canvas.fill(outline, black * 0.75)
    sheen = 1 + 0.12 * canvas.noise(dice("sheen"), 0.3) + 0.10 * canvas.noise(dice("mould"), 0.02)
    canvas.fill(outline + 0.045, np.clip(sheen[..., None] * black * 1.25, 0, 1), soft=2)
    top = np.maximum(outline, canvas.y - CASE[1] + CASE_HALF[1] - 0.045)
    canvas.fill(top, (0.24, 0.24, 0.25), opacity=0.6, soft=2)
    fading = float(dice("print").uniform(0.65, 0.85))
    for digit, x in zip(PRINT, (-0.13, 0.0, 0.13), strict=True):
        for name in digit:
            (x0, y0), (x1, y1) = SEGMENTS[name]
            start, end = (x + 0.035 * x0, CASE[1] + 0.035 * y0), (x + 0.035 * x1, CASE[1] + 0.035 * y1)
            canvas.fill(shapes.capsule(canvas, start, end, 0.008), (0.42, 0.42, 0.41), opacity=fading)


DAMAGE = defects.one_of(
    defects.hole((0.04, 0.14), (0.42, 0.41, 0.39)), defects.scratch((0.15, 0.5), (0.010, 0.03), (0.2, 0.5))
)

TRANSISTOR = Category(
    name="transistor",
    kind="object",
    draw=draw,
    exposure=(0.32, 0.42),
    poses=Poses(shift=0.02, angle=0.02, scale=0.02),
    strength=0.4,
    defects={
        "bent_lead": Defect(change="bent_lead"),
        "cut_lead": Defect(change="cut_lead"),
        "damaged_case": Defect(paint=DAMAGE),
        "misplaced": Defect(change="misplaced"),
        "missing": Defect(change="missing"),
    },
)
