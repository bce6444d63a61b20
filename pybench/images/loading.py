"""What samples look like: image and mask as arrays, decoded images for a method, the fingerprint of a split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from pybench.hashing import file_sha256, json_hash
from pybench.images.decoding import Alpha, decode, read_array
from pybench.images.warping import warp_image, warp_mask
from pybench.stages import stage
from pybench.types import Images, InputError, Sample, Saturation

if TYPE_CHECKING:
    from torch import Tensor

# ITU-R BT.601 luma in thousandths: integers keep the comparison with the threshold exact.
_LUMA = np.array([299, 587, 114])


def read_image(sample: Sample) -> NDArray[np.float32]:
    """The sample's image, float RGB [H, W, 3] in [0, 1] (sRGB values as stored), warped where the sample says so.

    Raises:
        InputError: the file cannot be used; names it and says why.
    """
    values, maximum = decode(sample.image, sample.alpha)
    image = np.atleast_3d(values).astype(np.float32) / np.float32(maximum)
    if sample.warp:
        image = warp_image(image, sample.warp)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def read_mask(sample: Sample, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Where the sample is defective, bool [H, W], warped like its image; ``shape`` is the image's.

    A normal sample gives all false. None stands for an anomalous sample without annotation: no mask file, or no
    defective pixel in any of them (before warping).

    Raises:
        InputError: a mask cannot be used, or is not of the image's size; names it and says why.
    """
    if sample.label == 0:
        return np.zeros(shape, dtype=np.bool_)
    mask = annotation(sample)
    return None if mask is None else _like_image(mask, sample.masks[0], sample, shape)


def read_defects(sample: Sample, shape: tuple[int, int]) -> list[tuple[NDArray[np.bool_], float]]:
    """The defects of a sample with ``saturations``, whose annotation has one mask per defect; empty for other samples.

    For each mask: where it is defective, bool [H, W], warped like the image; and the share of these pixels that must be
    found for a full score, in (0, 1]. As in MVTec's evaluation of LOCO, a relative threshold is rounded down to whole
    pixels of the mask as it is on disk, and an absolute one is at most all of its pixels. ``shape`` is the image's.

    Raises:
        InputError: a mask cannot be used, is not of the image's size, or is not drawn with one known grey value.
    """
    if not (sample.label and sample.saturations):
        return []
    defects = []
    for path in sample.masks:
        mask, saturation = _read_defect(path, sample)
        area = int(np.count_nonzero(mask))
        wanted = math.floor(saturation.threshold * area) if saturation.relative else min(saturation.threshold, area)
        defects.append((_like_image(mask, path, sample, shape), max(wanted, 1) / area))
    return defects


def annotation(sample: Sample) -> NDArray[np.bool_] | None:
    """Union of the sample's masks before any warp, bool [H, W]; None where there is no mask file or no defective pixel.

    Raises:
        InputError: a mask cannot be used, or masks of one sample differ in size.
    """
    union: NDArray[np.bool_] | None = None
    for path in sample.masks:
        if path.suffix == ".npy":
            mask = _read_frame(path, sample.mask_frame)
        else:
            mask = _read_mask_file(path, sample.mask_threshold, sample.alpha)
        if union is not None and mask.shape != union.shape:
            sizes = f"{_size(mask.shape)} pixels but {sample.masks[0]} is {_size(union.shape)}"
            raise InputError(f"{path}: the mask is {sizes}")
        union = mask if union is None else union | mask
    return union if union is not None and union.any() else None


def _like_image(mask: NDArray[np.bool_], path: Path, sample: Sample, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask as read from ``path``, warped like its image, whose shape it must have."""
    if mask.shape != shape:
        raise InputError(
            f"{path}: the mask is {_size(mask.shape)} pixels but its image {sample.image} is {_size(shape)}"
            " (width x height, EXIF rotation applied); a mask needs the size of its image"
        )
    return warp_mask(mask, sample.warp) if sample.warp else mask


def _read_mask_file(path: Path, threshold: int, alpha: Alpha) -> NDArray[np.bool_]:
    """True where the grey value, as 8 bit, reaches the threshold; where the file's maximum is 1, every 1 is defective.

    Transparent pixels are not drawn, so they are normal, unless transparency is refused.
    """
    values, maximum = decode(path, "refuse" if alpha == "refuse" else "black")
    grey, scale = (values, 1) if values.ndim == 2 else (values @ _LUMA, 1000)
    highest = grey.max()
    if np.issubdtype(values.dtype, np.integer) and highest == scale:
        return np.asarray(grey == scale)
    mask = np.asarray(grey.astype(np.float64) * 255 >= threshold * maximum * scale)
    if highest > 0 and not mask.any():
        raise InputError(
            f"{path}: the mask's grey values reach {highest / scale / maximum * 255:.4g} of 255, none the threshold"
            f" {threshold}; draw defects in white (255) on black (0), or as 1 on 0"
        )
    return mask


def _read_defect(path: Path, sample: Sample) -> tuple[NDArray[np.bool_], Saturation]:
    """Where a mask is not black, and the saturation that its one grey value stands for."""
    values = decode(path, sample.alpha).values
    grey = values if values.ndim == 2 else values[..., 0]
    mask = np.asarray(grey > 0)
    drawn = np.unique(grey[mask]).tolist()
    known = {saturation.pixel_value: saturation for saturation in sample.saturations}
    if len(drawn) != 1 or drawn[0] not in known:
        expected = ", ".join(map(str, sorted(known)))
        raise InputError(f"{path}: drawn with the grey values {drawn}; expected one of {expected}, to name the defect")
    return mask, known[drawn[0]]


def _read_frame(path: Path, index: int) -> NDArray[np.bool_]:
    """Where a frame of a clip's masks is not 0."""
    clip = read_array(path)
    if clip.ndim != 3 or index >= len(clip):
        raise InputError(
            f"{path}: an array of shape {list(clip.shape)}; expected [frames, height, width] with a frame {index}"
        )
    return np.asarray(clip[index] != 0)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


class DecodedImages(Images):
    """The images of samples, decoded when they are asked for and not kept."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(samples)

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> DecodedImages: ...

    def __getitem__(self, index: int | slice) -> Tensor | DecodedImages:
        if isinstance(index, slice):
            return DecodedImages(self.samples[index])
        import torch

        with stage("decode"):
            return torch.from_numpy(np.ascontiguousarray(read_image(self.samples[index]).transpose(2, 0, 1)))

    def batches(self, size: int) -> Iterator[Tensor]:
        """Consecutive images of equal shape as float RGB [B, 3, H, W] in [0, 1], B <= size."""
        import torch

        batch: list[Tensor] = []
        for image in self:
            if batch and (len(batch) == size or image.shape != batch[0].shape):
                yield torch.stack(batch)
                batch = []
            batch.append(image)
        if batch:
            yield torch.stack(batch)


def fingerprint(samples: Sequence[Sample]) -> str:
    """16 hex digits that change with anything a method or a metric can see of the samples, their order included.

    Names count with their folder but without what lies above it, so the same data elsewhere has the same fingerprint.

    Raises:
        InputError: a file is not there or cannot be read.
    """
    return json_hash([_description(sample) for sample in samples])


def identity(path: Path) -> str:
    """An image's folder and name: what names it on every machine."""
    return f"{path.parent.name}/{path.name}"


def _description(sample: Sample) -> dict[str, Any]:
    return {
        "image": [identity(sample.image), _content(sample.image)],
        "masks": [_content(mask) for mask in sample.masks],
        "label": sample.label,
        "defect_type": sample.defect_type,
        "mask_threshold": sample.mask_threshold,
        "mask_frame": sample.mask_frame,
        "saturations": [asdict(saturation) for saturation in sample.saturations],
        "alpha": sample.alpha,
        "warp": asdict(sample.warp) if sample.warp else None,
    }


def _content(path: Path) -> str:
    try:
        status = path.stat()
        return _hash(path, status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


@cache
def _hash(path: Path, size: int, modified_ns: int) -> str:
    """sha256 of a file. It is kept for the life of the process, until the file's size or time changes."""
    return file_sha256(path)
