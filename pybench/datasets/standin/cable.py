"""Cable: cross-section of three insulated copper wires in a round grey sheath."""

from __future__ import annotations

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field, Point

INSULATION = ((0.30, 0.52, 0.24), (0.22, 0.36, 0.66), (0.52, 0.36, 0.26))
RADIUS, INNER, STRAND = 0.335, 0.235, 0.034
AWAY = 0.40


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Sheath, filler, then wire after wire: insulation, the dark bore and its strands."""
    canvas.picture[:] = jitter(dice("ground"), (0.20, 0.20, 0.21), 0.006)
    canvas.shade(1 + 0.12 * canvas.noise(dice("ground grain"), 0.3, octaves=2))
    outline = shapes.circle(canvas, (0, 0), 0.90) + 0.012 * canvas.noise(dice("outline"), 0.4)
    sheath = canvas.fill(outline, jitter(dice("sheath"), (0.60, 0.60, 0.59), 0.01))
    canvas.fill(
        shapes.circle(canvas, (0, 0), 0.78) + 0.015 * canvas.noise(dice("filler edge"), 0.2), (0.36, 0.36, 0.37), soft=2
    )
    canvas.shade(1 + 0.10 * canvas.noise(dice("sawn"), (0.8, 0.03), angle=dice("saw").uniform(0, np.pi)), sheath)
    order, absent, part = _order(dice, change), _absent(dice, change), int(dice("part").integers(3))
    insulation, copper = np.zeros(canvas.x.shape), np.zeros(canvas.x.shape)
    for place in range(3):
        if place == absent:
            continue
        centre = _centre(dice, place)
        view = canvas.window(centre, RADIUS * 1.15)
        colour = jitter(dice(f"insulation {place}"), INSULATION[order[place]], 0.01)
        ruffle = 0.008 * view.noise(dice(f"ruffle {place}"), 0.15)
        cover = view.fill(shapes.circle(view, centre, RADIUS) + ruffle, colour)
        view.shade(1 + 0.12 * view.noise(dice(f"streaks {place}"), (0.3, 0.03), angle=0.5 * place), cover)
        bore = view.fill(shapes.circle(view, centre, INNER) - ruffle, (0.10, 0.07, 0.05))
        insulation[view.rows, view.columns] += cover * (1 - bore)
        copper[view.rows, view.columns] += bore
        _strands(canvas, dice, place, centre, change if place == part else "")
    return {"body": sheath, "insulation": np.clip(insulation, 0, 1), "copper": np.clip(copper, 0, 1)}


def _order(dice: Dice, change: str) -> list[int]:
    """Which insulation lies where; a swapped cable has one colour twice."""
    order = [0, 1, 2]
    if change == "cable_swap":
        place, other = dice("swap").permutation(3)[:2]
        order[int(place)] = int(other)
    return order


def _absent(dice: Dice, change: str) -> int:
    return int(dice("absent").integers(3)) if change == "missing_cable" else -1


def _centre(dice: Dice, place: int) -> Point:
    rng = dice(f"centre {place}")
    angle = -np.pi / 2 + place * 2 * np.pi / 3 + rng.normal(0, 0.025)
    return float(AWAY * np.cos(angle) + rng.normal(0, 0.008)), float(AWAY * np.sin(angle) + rng.normal(0, 0.008))


def _strands(canvas: Canvas, dice: Dice, place: int, centre: Point, change: str) -> None:
    """Copper strands packed hexagonally; some are lost where wires are missing, some stick out where they are bent."""
    rng = dice(f"strands {place}")
    gone = _cluster(dice, defects.drawn(dice("gone"), (0.05, 0.14)))
    for row in range(-3, 4):
        for column in range(-4, 5):
            noise = rng.normal(0, 1, 4)
            x, y = (column + row % 2 / 2) * 2 * STRAND, row * np.sqrt(3) * STRAND
            if x * x + y * y > (INNER - 0.9 * STRAND) ** 2:
                continue
            lost = (x - gone[0]) ** 2 + (y - gone[1]) ** 2 < gone[2] ** 2
            if change == "missing_wire" and lost:
                continue
            spot = (centre[0] + x + 0.005 * float(noise[0]), centre[1] + y + 0.005 * float(noise[1]))
            view = canvas.window(spot, STRAND)
            distance = shapes.circle(view, spot, STRAND * 0.93)
            level = 1 + 0.13 * noise[2]
            if change == "bent_wire" and lost:
                tip = (spot[0] + 1.3 * float(x) + 0.07 * float(noise[3]), spot[1] + 1.3 * float(y) - 0.05)
                view = canvas.window(spot, 0.5)
                distance = shapes.capsule(view, spot, tip, STRAND * 0.8)
            dome = np.clip(0.6 - 0.4 * distance / STRAND, 0.4, 1.0)
            view.fill(distance, dome[..., None] * level * np.asarray((0.82, 0.54, 0.34)))


def _cluster(dice: Dice, radius: float) -> tuple[float, float, float]:
    """A random circle within the bore: the strands that a defect concerns."""
    rng = dice("cluster")
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.8) * INNER
    return float(away * np.cos(angle)), float(away * np.sin(angle)), radius


def _cut_insulation(canvas: Canvas, rng: np.random.Generator, region: Field) -> None:
    """A piece cut out of the insulation: what lies beneath shows dark, with one pale edge."""
    x, y = defects.spot(canvas, rng, region)
    half = (defects.drawn(rng, (0.07, 0.18)), defects.drawn(rng, (0.03, 0.08)))
    distance = shapes.box(canvas, (x, y), half, 0.01, rng.uniform(0, np.pi)) + 0.01 * canvas.noise(rng, 0.05)
    canvas.blend(canvas.cover(distance) * region, (0.13, 0.11, 0.10))
    canvas.picture += (0.28 * canvas.cover(np.abs(distance) - 0.010) * region)[..., None]


CABLE = Category(
    name="cable",
    kind="object",
    draw=draw,
    exposure=(0.32, 0.36),
    poses=Poses(shift=0.02, angle=0.06, scale=0.015),
    strength=0.4,
    defects={
        "bent_wire": Defect(change="bent_wire"),
        "cable_swap": Defect(change="cable_swap"),
        "cut_inner_insulation": Defect(paint=_cut_insulation, region="insulation"),
        "missing_cable": Defect(change="missing_cable"),
        "missing_wire": Defect(change="missing_wire"),
        "poke_insulation": Defect(paint=defects.hole((0.035, 0.085)), region="insulation"),
    },
)
