"""Pill: an oval white pill with red and orange specks and an engraved "FF", lying on black."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Point

RADII = (0.76, 0.47)
OTHER_SPECKS = ((0.30, 0.22, 0.50), (0.16, 0.38, 0.24), (0.24, 0.14, 0.10), (0.10, 0.28, 0.46))
LETTER_F: tuple[tuple[Point, Point], ...] = (
    ((-0.07, -0.15), (-0.07, 0.15)),
    ((-0.07, -0.15), (0.09, -0.15)),
    ((-0.07, -0.01), (0.06, -0.01)),
)


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Coating, specks, imprint, then the shading of the dome."""
    canvas.picture[:] = jitter(dice("cloth"), (0.035, 0.035, 0.04), 0.004)
    wobble = 0.004 * canvas.noise(dice("outline"), 0.35)
    outline = shapes.ellipse(canvas, (0, 0), RADII) + wobble
    body = canvas.fill(outline, jitter(dice("coating"), (0.84, 0.82, 0.78), 0.006))
    canvas.shade(1 + 0.02 * canvas.noise(dice("mottle"), 0.16), body)
    _specks(canvas, dice, change == "pill_type")
    light = -2.3 + dice("lamp").uniform(-0.25, 0.25)
    _imprint(canvas, dice, light, change == "faulty_imprint")
    level = np.minimum((canvas.x / RADII[0]) ** 2 + (canvas.y / RADII[1]) ** 2, 1.2)
    tilt = canvas.x * np.cos(light) + canvas.y * np.sin(light)
    canvas.shade(1.04 - 0.42 * (level * level) ** 2 + 0.10 * tilt, body)
    canvas.blend(0.25 * canvas.cover(np.abs(outline + 0.07) - 0.004, soft=3), (0.62, 0.60, 0.58))
    return {"body": canvas.cover(outline + 0.03), "face": canvas.cover(outline + 0.12)}


def _specks(canvas: Canvas, dice: Dice, other_type: bool) -> None:
    """Red and orange specks all over the pill; of the other type, all have the colour of another product."""
    rng = dice("specks")
    count = int(rng.integers(44, 60))
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    size, choice = rng.random((2, count))
    red, orange = jitter(rng, (0.72, 0.26, 0.18)), jitter(rng, (0.86, 0.50, 0.26))
    other = OTHER_SPECKS[int(dice("type").integers(len(OTHER_SPECKS)))] if other_type else None
    for a, r, s, c in zip(angle, reach, size, choice, strict=True):
        centre = (float(0.94 * RADII[0] * r * np.cos(a)), float(0.94 * RADII[1] * r * np.sin(a)))
        radius = (0.007 + 0.011 * float(s) ** 2) * (1.4 if other else 1.0)
        part = canvas.window(centre, radius)
        speck = shapes.ellipse(part, centre, (radius, radius * (0.7 + 0.3 * float(c))), float(a))
        part.fill(speck, other or (red if c < 0.6 else orange), 0.65 if other is None else 0.9, soft=1.5)


def _imprint(canvas: Canvas, dice: Dice, light: float, faulty: bool) -> None:
    """Two letters pressed into the coating; faulty: a stroke missing, a letter askew or doubled, or all faint."""
    rng = dice("imprint")
    part = canvas.window((0, 0), 0.42)
    distance = np.full(part.x.shape, np.inf)
    press, thick = 0.020 + rng.normal(0, 0.001), 0.021 + rng.normal(0, 0.001)
    slack = rng.normal(0, 0.006, (2, 2))
    fault = dice("fault")
    kind, letter, stroke = (int(fault.integers(n)) for n in (4, 2, 3))
    askew = fault.uniform(0.04, 0.10, 2) * fault.choice((-1.0, 1.0), 2)
    for index, x in enumerate((-0.15, 0.15)):
        marred = faulty and index == letter
        shift = (x + slack[index, 0], 0.01 + slack[index, 1])
        places = [shift]
        if marred and kind in (1, 2):
            moved = (shift[0] + float(askew[0]), shift[1] + float(askew[1]))
            places = [moved] if kind == 1 else [shift, moved]
        for place in places:
            for number, (start, end) in enumerate(LETTER_F):
                if not (marred and kind == 0 and number == stroke):
                    line = shapes.capsule(part, _plus(start, place), _plus(end, place), thick)
                    np.minimum(distance, line, out=distance)
    groove = np.clip(0.5 - distance / 0.03, 0, 1)
    if faulty and kind == 3:
        press *= fault.uniform(0.2, 0.6)
    part.shade(part.relief(-press * groove, light, 0.45) * (1 - 6 * press * groove))


def _plus(first: Point, second: Point) -> Point:
    return first[0] + second[0], first[1] + second[1]


CONTAMINATION = defects.one_of(defects.blob((0.05, 0.16), (0.8, 1.0)), defects.hair((0.25, 0.9), (0.014, 0.03)))

PILL = Category(
    name="pill",
    kind="object",
    draw=draw,
    exposure=(0.195, 0.24),
    poses=Poses(shift=0.02, angle=0.06, scale=0.02),
    strength=0.2,
    defects={
        "color": Defect(paint=defects.stain((0.05, 0.22), (0.15, 0.45))),
        "contamination": Defect(paint=CONTAMINATION),
        "crack": Defect(paint=defects.crack((0.2, 0.8), (0.010, 0.035), (0.5, 0.9))),
        "faulty_imprint": Defect(change="faulty_imprint"),
        "pill_type": Defect(change="pill_type"),
        "scratch": Defect(paint=defects.scratch((0.2, 0.8), (0.012, 0.035), (0.25, 0.6)), region="face"),
    },
)
