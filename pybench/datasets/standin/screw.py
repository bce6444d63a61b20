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


@dataclass(frozen=True)
class Dent:
    """Where the thread is worn: centre along the axis, half length, side (-1, 1; 0 means the face), share worn off."""

    centre: float
    half: float
    side: int
    share: float


def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
    """Shadow, then the silhouette with the shading of a lathe-turned metal."""
    canvas.picture[:] = jitter(dice("table"), (0.76, 0.76, 0.77), 0.006)
    canvas.shade(1 + 0.015 * canvas.noise(dice("table texture"), 0.05, octaves=2))
    dent = _dent(dice("worn"), change)
    crest, phase = _thread(canvas, dice, change, dent)
    bend, cut = _front(dice("front"), change)
    radius, axis = _profile(canvas, crest, bend, cut)
    across = canvas.y - axis
    slope = 0.75
    outline = np.maximum((np.abs(across) - radius) * slope, np.maximum(HEAD - canvas.x, canvas.x - cut))
    shadow = np.roll(outline, (canvas.size // 64, canvas.size // 90), axis=(0, 1))
    canvas.fill(shadow, (0.42, 0.42, 0.44), opacity=0.6, soft=12)
    ratio = np.clip(across / np.maximum(radius, 0.01), -1, 1)
    gloss = _metal(ratio, dice("lamp").uniform(-0.45, -0.15))
    flank = np.where((canvas.x > THREAD) & (canvas.x < TIP), 0.62 + 0.75 * phase, 1.0)
    cone = np.where(canvas.x < CONE, 1.12 - 0.5 * (canvas.x < HEAD + 0.035), 1.0)
    brushed = 1 + 0.05 * canvas.noise(dice("brushed"), (0.02, 0.4))
    metal = np.asarray(jitter(dice("metal"), (0.62, 0.60, 0.56), 0.008))
    body = canvas.fill(outline, np.clip((gloss * flank * cone * brushed)[..., None] * metal, 0, 1))
    _slot(canvas, dice)
    head = body * canvas.cover(np.maximum(HEAD + 0.05 - canvas.x, canvas.x - CONE))
    neck = body * canvas.cover(np.maximum(CONE - canvas.x, canvas.x - THREAD))
    return {"body": body, "head": head, "neck": neck}


def _thread(canvas: Canvas, dice: Dice, change: str, dent: Dent | None) -> tuple[Field, Field]:
    """Outer radius of the thread and its lit profile in [0, 1], both [H, W]; the helix shows as slanted ridges."""
    pitch = PITCH * (float(dice("pitch").uniform(1.3, 1.6)) if change == "thread_type" else 1.0)
    turn = (canvas.x - 0.22 * canvas.y) / pitch + dice("roll").random()
    saw = turn - np.floor(turn)
    ridge = 1 - np.abs(2 * saw - 1)
    crest = CORE_RADIUS + (CREST_RADIUS - CORE_RADIUS) * np.clip(1.5 * ridge - 0.15, 0, 1)
    if dent is None:
        return crest, saw
    near = np.clip(2 - 2 * np.abs(canvas.x - dent.centre) / dent.half, 0, 1)
    if dent.side:
        worn = near * (canvas.y * dent.side > 0) * dent.share
        return crest + worn * (CORE_RADIUS - crest), saw + 0.3 * worn * (0.5 - saw)
    face = near * np.clip(2 - np.abs(canvas.y) / 0.035, 0, 1) * dent.share
    return crest, saw + face * (0.62 - saw)


def _dent(rng: np.random.Generator, change: str) -> Dent | None:
    """The worn place of the thread defects."""
    centre, half = float(rng.uniform(THREAD + 0.08, TAPER - 0.02)), float(np.exp(rng.uniform(np.log(0.03), np.log(0.12))))
    side, share = int(rng.choice((-1, 1))), float(rng.uniform(0.6, 1.0))
    if change == "thread_side":
        return Dent(centre, half, side, share)
    return Dent(centre, half, 0, share) if change == "thread_top" else None


def _front(rng: np.random.Generator, change: str) -> tuple[float, float]:
    """Sideways bend of the point (per unit of its length squared) and the station where it ends."""
    bend, cut = float(rng.uniform(0.4, 1.3) * rng.choice((-1, 1))), float(rng.uniform(TAPER + 0.06, TIP - 0.08))
    if change != "manipulated_front":
        return 0.0, TIP
    return (bend, TIP) if rng.random() < 0.5 else (0.0, cut)


def _profile(canvas: Canvas, crest: Field, bend: float, cut: float) -> tuple[Field, Field]:
    """Radius of the screw along its axis, and the sideways place of the axis, both [H, W]."""
    x = canvas.x
    cone = np.clip((CONE - x) / (CONE - HEAD - 0.05), 0, 1)
    plain = NECK_RADIUS + (HEAD_RADIUS - NECK_RADIUS) * cone**1.3
    onset = np.clip((x - THREAD) / 0.06, 0, 1)
    radius = plain + onset * (crest - plain)
    point = np.clip((TIP - x) / (TIP - TAPER), 0, 1)
    return radius * np.sqrt(point) * (0.35 + 0.65 * point), bend * np.maximum(x - TAPER + 0.1, 0) ** 2


def _metal(ratio: Field, lamp: float) -> Field:
    """Brightness across a polished cylinder: a broad light side, a sharp highlight, a dark edge and a reflected rim."""
    highlight = np.maximum(1 - ((ratio - lamp) / 0.22) ** 2, 0) ** 2
    return 0.95 - 0.75 * (ratio - lamp) ** 2 + 0.75 * highlight + 0.35 * np.maximum(ratio - 0.75, 0)


def _slot(canvas: Canvas, dice: Dice) -> None:
    """The slot seen edge-on, at the height that the screw's roll gives it."""
    part = canvas.window((HEAD, 0), 0.25)
    height = float(0.10 * (2 * dice("slot").random() - 1))
    part.fill(shapes.box(part, (HEAD + 0.012, height), (0.028, 0.022)), (0.15, 0.15, 0.16), soft=1.5)


SCREW = Category(
    name="screw",
    kind="object",
    draw=draw,
    exposure=(0.58, 0.72),
    poses=Poses(shift=0.06, angle=np.pi, scale=0.01),
    defects={
        "manipulated_front": Defect(change="manipulated_front"),
        "scratch_head": Defect(paint=defects.scratch((0.08, 0.25), (0.012, 0.03), (0.3, 0.6)), region="head"),
        "scratch_neck": Defect(paint=defects.scratch((0.08, 0.3), (0.012, 0.03), (0.3, 0.6)), region="neck"),
        "thread_side": Defect(change="thread_side"),
        "thread_top": Defect(change="thread_top"),
        "thread_type": Defect(change="thread_type"),
    },
)
