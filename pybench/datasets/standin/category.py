"""What a category of the stand-in is, and how one of its images is rendered.

A category's file (``bottle.py`` is the example) has one drawing function and one ``Category`` of the file's name in
capitals::

    def draw(canvas: Canvas, dice: Dice, change: str) -> Regions:
        canvas.picture[:] = jitter(dice("background"), (0.8, 0.8, 0.8))
        body = canvas.fill(shapes.circle(canvas, (0, 0), 0.7), jitter(dice("body"), (0.3, 0.2, 0.1)))
        if change != "missing_mark":
            canvas.fill(shapes.box(canvas, (0, 0), (0.1, 0.05)), (0.9, 0.9, 0.9))
        return {"body": body}

    WIDGET = Category(
        name="widget", kind="object", draw=draw, exposure=(0.35, 0.45), poses=Poses(shift=0.02, angle=0.05, scale=0.02),
        defects={"scratch": Defect(paint=defects.scratch()), "missing_mark": Defect(change="missing_mark")},
    )

A structural defect is a painter of ``defects`` (or one of the file's own) on a named region that ``draw`` returned,
``body`` unless it names another. A logical defect is a ``change``: ``draw`` runs again on the same streams and draws
that part otherwise, so take every random number from a stream named after its part. Light, exposure and sensor noise
come afterwards and are the same with and without the defect; a mask holds the pixels that the defect changed visibly,
found by comparing the two renderings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import Canvas, Dice, Pose
from .defects import Painter
from .shapes import Field

Regions = Mapping[str, Field]
Draw = Callable[[Canvas, Dice, str], Regions]

VISIBLE = 8 / 255
"""A pixel is defective where a channel of the noise-free rendering changed by more than this."""

SMALLEST = 8 / 256**2
"""Share of the image below which a defect is drawn again."""

ATTEMPTS = 20
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Defect:
    """A change of the drawing, a painter on one of its regions, or both."""

    paint: Painter | None = None
    region: str = "body"
    change: str = ""


@dataclass(frozen=True)
class Poses:
    """Limits of the uniform draws of a pose: shift in object units, angle in radians, scale relative to 1."""

    shift: float = 0.0
    angle: float = 0.0
    scale: float = 0.0

    def drawn(self, rng: np.random.Generator) -> Pose:
        """One pose."""
        x, y, turn, size = rng.uniform(-1, 1, 4)
        return Pose(
            (float(x) * self.shift, float(y) * self.shift), float(turn) * self.angle, 1 + float(size) * self.scale
        )


@dataclass(frozen=True)
class Category:
    """One product. ``exposure`` limits the mean brightness of an image; ``noise`` is the sensor's read noise (standard
    deviation, shares of full scale); ``light`` is the largest share by which the light falls off to one side;
    ``strength`` in (0, 1] is the share of its contrast with which a painted defect shows."""

    name: str
    kind: Literal["object", "texture"]
    draw: Draw
    defects: Mapping[str, Defect]
    exposure: tuple[float, float]
    poses: Poses = field(default_factory=Poses)
    noise: float = 0.010
    light: float = 0.10
    strength: float = 1.0


@dataclass(frozen=True)
class Rendering:
    """An image uint8 [S, S, 3] and its mask bool [S, S] (all false for a normal image)."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """A scene in its light before the sensor's noise, float64 [S, S, 3] in [0, 1], without and with the defect.

    The two are the same array for a normal image.
    """

    normal: Field
    actual: Field
    dice: Dice

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Pixels [S, S] that the defect changed visibly."""
        difference: Field = np.abs(self.actual - self.normal).max(axis=2)
        return difference > VISIBLE


def render(category: Category, folder: str, index: int, size: int, seed: int) -> Rendering:
    """Image number ``index`` of a folder (``train/good``, ``test/good`` or ``test/<defect type>``).

    Raises:
        RuntimeError: no visible defect came out in ``ATTEMPTS`` draws, which is a fault of the category's file.
    """
    shot = take(category, folder, index, size, seed)
    mask = np.zeros((size, size), dtype=bool) if shot.actual is shot.normal else _closed(shot.changed)
    return Rendering(_sensed(shot.actual, category.noise, shot.dice), mask)


def take(category: Category, folder: str, index: int, size: int, seed: int) -> Shot:
    """The scene of an image, drawn again with new random numbers until its defect, if any, shows; see ``render``."""
    kind = folder.rsplit("/", 1)[1]
    for attempt in range(ATTEMPTS):
        dice = Dice("standin", seed, category.name, folder, index, attempt)
        pose = category.poses.drawn(dice("pose"))
        canvas = Canvas(size, pose)
        regions = category.draw(canvas, dice, "")
        camera = _camera(category, canvas.picture, dice, _exposure(category, folder, index, seed))
        normal = np.clip(canvas.picture * camera, 0, 1)
        if kind == "good":
            return Shot(normal, normal, dice)
        defect = category.defects[kind]
        if defect.change:
            canvas = Canvas(size, pose)
            regions = category.draw(canvas, dice, defect.change)
        if defect.paint is not None:
            sound = canvas.picture.copy()
            defect.paint(canvas, dice("defect"), regions[defect.region])
            canvas.picture[:] = sound + category.strength * (canvas.picture - sound)
        shot = Shot(normal, np.clip(canvas.picture * camera, 0, 1), dice)
        if shot.changed.sum() >= SMALLEST * size**2:
            return shot
    raise RuntimeError(f"{category.name}: {ATTEMPTS} draws of the defect {kind!r} left nothing visible")


def _exposure(category: Category, folder: str, index: int, seed: int) -> float:
    """Mean brightness of an image: a Kronecker sequence over each folder, so that no folder is brighter."""
    start = Dice("standin", seed, category.name, folder)("exposure").random()
    low, high = category.exposure
    return low + (high - low) * ((start + index * GOLDEN) % 1)


def _camera(category: Category, picture: Field, dice: Dice, exposure: float) -> Field:
    """Factor [S, S, 3] of light and camera: fall-off, white balance, a gain metered on the defect-free picture."""
    rng, size = dice("light"), picture.shape[0]
    angle, fall, vignette = rng.uniform(0, 2 * np.pi), rng.uniform(0, category.light), rng.uniform(0, 0.06)
    line = (np.arange(size) + 0.5) * 2 / size - 1
    across, down = line[None, :], line[:, None]
    field_of_light = 1 + fall * (across * np.cos(angle) + down * np.sin(angle)) - vignette * (across**2 + down**2)
    factor: Field = field_of_light[..., None] * (1 + rng.normal(0, 0.007, 3))
    return factor * (exposure / float((picture * factor).mean()))


def _sensed(signal: Field, read: float, dice: Dice) -> NDArray[np.uint8]:
    """What a sensor with shot and read noise makes of a signal in [0, 1]."""
    noise = dice("sensor").standard_normal(signal.shape) * np.sqrt(read**2 * (1 + 2 * signal))
    sensed: NDArray[np.uint8] = np.clip(np.rint((signal + noise) * 255), 0, 255).astype(np.uint8)
    return sensed


def _closed(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Changed pixels with the gaps of up to two pixels between them, so that a defect is one region and not many."""
    padded = np.pad(changed, 2)
    closed: NDArray[np.bool_] = ndimage.binary_closing(padded, structure=np.ones((3, 3), dtype=bool), iterations=2)
    return closed[2:-2, 2:-2]
