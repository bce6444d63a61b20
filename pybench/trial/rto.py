"""MAD-RTO (LocalOcc's paper): every image is rotated and cropped at random, and its mask with it.

The warp of an image depends only on the data seed, the category, the part and the image's name. It does not depend on
other images or on the method, so every method sees the same images. A warp that loses more than half of a defect is
drawn again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from pybench.hashing import derive_seed
from pybench.images.loading import annotation, identity
from pybench.images.warping import share_kept
from pybench.spec import RtoOptions
from pybench.types import Sample, Warp

REDRAWS = 20


def apply_rto(
    samples: Sequence[Sample], options: RtoOptions, *, category: str, part: str, data_seed: int
) -> tuple[list[Sample], list[str]]:
    """Give every sample a warp. The order and the files of the samples stay the same.

    Returns:
        The samples, and a remark for each defect of which every one of the 1 + 20 draws lost more than half; its image
        gets the draw that keeps the most of it. The defect of an image is the union of its masks.

    Raises:
        InputError: a mask cannot be read.
    """
    warped, remarks = [], []
    for sample in samples:
        seed = derive_seed(data_seed, category, part, identity(sample.image))
        warp, kept = _draw_for(sample, _draws(options, random.Random(seed)))
        warped.append(replace(sample, warp=warp))
        if kept < 0.5:
            name = f"{category}/{part}/{identity(sample.image)}"
            remarks.append(f"{name}: {kept:.0%} of the defect is left in view after {REDRAWS} redraws")
    return warped, remarks


def _draw_for(sample: Sample, draws: Iterator[Warp]) -> tuple[Warp, float]:
    """The first warp that keeps half of the defect, else the one that keeps the most; and the share that it keeps."""
    mask = annotation(sample) if sample.label else None
    if mask is None:
        return next(draws), 1.0
    best = next(draws)
    most = share_kept(mask, best)
    for warp in islice(draws, REDRAWS):
        if most >= 0.5:
            break
        kept = share_kept(mask, warp)
        if kept > most:
            best, most = warp, kept
    return best, most


def _draws(options: RtoOptions, generator: random.Random) -> Iterator[Warp]:
    """Warps with uniform angle, side and place of the crop. ``random.Random`` draws the same ones on every machine."""
    while True:
        angle = generator.uniform(-options.rotation, options.rotation)
        side = generator.uniform(options.crop, 1.0)
        top, left = generator.uniform(0.0, 1.0 - side), generator.uniform(0.0, 1.0 - side)
        yield Warp(angle, (top, left, side, side), options.fill)
