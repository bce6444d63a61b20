"""Screw: a countersunk wood screw lying on its side, turned any way, on a light grey table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import defects, shapes
from .canvas import Canvas, Dice, jitter
from .category import Category, Defect, Poses, Regions
from .shapes import Field

HEAD, CONE, THREAD, TAPER, TIP = -0.74, -0.52, -0.14, 0.44, 0.72
"""Stations along the screw's axis: top of the head, end of its cone, first thread, start and end of the point."""

HEAD_RADIUS, NECK_RADIUS, CORE_RADIUS, CREST_RADIUS = 0.185, 0.070, 0.058, 0.098
PITCH = 0.088
BURR = 0.10
"""Height of the largest burr."""


@dataclass(frozen=True)
class Dent:
    """Where the thread is damaged: its centre along the axis and half its length.

    On a side (-1 or 1), ``amount`` is the share of the thread's height that is worn off; a negative one raises a burr.
    On the face (side 0), it is the brightness of the damaged part.
    """

    centre: float
    half: float
    side: int
    amount: float


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Shadow, then the silhouette with the shading of a lathe-turned metal."""
    canvas.picture[:] = jitter(dice("table"), (0.76, 0.76, 0.77), 0.006)
    canvas.shade(1 + 0.015 * canvas.noise(dice("table texture"), 0.05, octaves=2))
    dent = _dent(dice("worn"), change)
    crest, phase = _thread(canvas, dice, dent)
    bend, cut = _front(dice("front"), change)
    radius, axis = _profile(canvas, crest, bend, cut)
    across = canvas.y - axis
    slope = 0.75
    outline = np.maximum((np.abs(across) - radius) * slope, np.maximum(HEAD - canvas.x, canvas.x - cut))
    shadow = np.roll(outline, (canvas.size // 64, canvas.size // 90), axis=(0, 1))
    canvas.fill(shadow, (0.42, 0.42, 0.44), opacity=0.6, soft=12)
    ratio = np.clip(across / np.maximum(radius, 0.01), -1, 1)
    gloss = _metal(ratio, dice("lamp").uniform(-0.38, -0.22))
    flank = np.where((canvas.x > THREAD) & (canvas.x < TIP), 0.74 + 0.5 * phase, 1.0)
    cone = np.where(canvas.x < CONE, 1.12 - 0.35 * (canvas.x < HEAD + 0.035), 1.0)
    brushed = 1 + 0.05 * canvas.noise(dice("brushed"), (0.02, 0.4))
    metal = np.asarray(jitter(dice("metal"), (0.66, 0.64, 0.60), 0.008))
    body = canvas.fill(outline, np.clip((gloss * flank * cone * brushed)[..., None] * metal, 0, 1))
    _slot(canvas, dice)
    head = body * canvas.cover(np.maximum(HEAD + 0.05 - canvas.x, canvas.x - CONE))
    neck = body * canvas.cover(np.maximum(CONE - canvas.x, canvas.x - THREAD))
    return {"body": body, "head": head, "neck": neck}


def _thread(canvas: Canvas, dice: Dice, dent: Dent | None) -> tuple[Field, Field]:
    """Outer radius of the thread and its lit profile in [0, 1], both [H, W]; the helix shows as slanted ridges."""
    turn = (canvas.x - 0.22 * canvas.y) / PITCH + dice("roll").random()
    saw = turn - np.floor(turn)
    ridge = 1 - np.abs(2 * saw - 1)
    crest = CORE_RADIUS + (CREST_RADIUS - CORE_RADIUS) * np.clip(1.5 * ridge - 0.15, 0, 1)
    if dent is None:
        return crest, saw
    near = np.clip(2 - 2 * np.abs(canvas.x - dent.centre) / dent.half, 0, 1)
    if dent.side:
        worn = near * (canvas.y * dent.side > 0) * dent.amount
        return crest - worn * np.where(worn > 0, crest - CORE_RADIUS, BURR), saw
    face = near * np.clip(2 - np.abs(canvas.y) / 0.045, 0, 1)
    return crest, saw + face * (dent.amount - saw)


def _dent(rng: np.random.Generator, change: str) -> Dent | None:
    """The damage of the defects of the thread, none for the others."""
    centre = float(rng.uniform(THREAD + 0.08, TAPER - 0.02))
    half = float(np.exp(rng.uniform(np.log(0.07), np.log(0.22))))
    side, worn, tone = (int(rng.choice((-1, 1))) for _ in range(3))
    if change == "thread_side":
        return Dent(centre, half, side, worn * float(rng.uniform(0.7, 1.0)))
    return Dent(centre, half, 0, 0.6 + 1.3 * tone) if change == "thread_top" else None


def _front(rng: np.random.Generator, change: str) -> tuple[float, float]:
    """Sideways bend of the point (per unit of its length squared) and the station where it ends."""
    bend, cut = float(rng.uniform(0.6, 1.7) * rng.choice((-1, 1))), float(rng.uniform(TAPER - 0.05, TIP - 0.09))
    if change != "manipulated_front":
        return 0.0, TIP
    return (bend, TIP) if rng.random() < 0.5 else (0.0, cut)


def _profile(canvas: Canvas, crest: Field, bend: float, cut: float) -> tuple[Field, Field]:
    """Radius of the screw along its axis, and the sideways place of the axis, both [H, W]."""
    x = canvas.x
    cone = np.clip((CONE - x) / (CONE - HEAD - 0.05), 0, 1)
    plain = NECK_RADIUS + (HEAD_RADIUS - NECK_RADIUS) * cone * (0.7 + 0.3 * cone)
    onset = np.clip((x - THREAD) / 0.06, 0, 1)
    radius = plain + onset * (crest - plain)
    point = np.clip((TIP - x) / (TIP - TAPER), 0, 1)
    return radius * np.sqrt(point) * (0.35 + 0.65 * point), bend * np.maximum(x - TAPER + 0.1, 0) ** 2


def _metal(ratio: Field, lamp: float) -> Field:
    """Brightness across a polished cylinder: a broad light side, a sharp highlight, a dark edge and a reflected rim."""
    highlight = np.maximum(1 - ((ratio - lamp) / 0.22) ** 2, 0) ** 2
    brightness: Field = 0.98 - 0.45 * (ratio - lamp) ** 2 + 0.4 * highlight + 0.35 * np.maximum(ratio - 0.75, 0)
    return brightness


def _slot(canvas: Canvas, dice: Dice) -> None:
    """The slot seen edge-on, at the height that the screw's roll gives it."""
    part = canvas.window((HEAD, 0), 0.25)
    height = float(0.10 * (2 * dice("slot").random() - 1))
    part.fill(shapes.box(part, (HEAD + 0.012, height), (0.028, 0.022)), (0.26, 0.26, 0.27), soft=1.5)


SCRATCH = defects.scratch((0.1, 0.35), (0.02, 0.05), (0.35, 0.7))

SCREW = Category(
    name="screw",
    kind="object",
    draw=draw,
    exposure=(0.60, 0.70),
    poses=Poses(shift=0.06, angle=np.pi, scale=0.01),
    strength=0.7,
    defects={
        "manipulated_front": Defect(change="manipulated_front"),
        "scratch_head": Defect(paint=SCRATCH, region="head"),
        "scratch_neck": Defect(paint=SCRATCH, region="neck"),
        "thread_side": Defect(change="thread_side"),
        "thread_top": Defect(change="thread_top"),
    },
)
