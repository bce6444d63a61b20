"""A cache of feature maps on the disk: a map that several trials on a machine need is extracted once.

<cache folder>/features/<backbone>-<image>-<layer>.npy   one layer's map of one image [H, W, C], then a check sum
<cache folder>/features/lock                             has a byte for each image, held while it is extracted

A trial opens the cache for itself (``opened``), so that nothing else reads from it, least of all a latency measurement.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import mmap
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pybench.disk import atomic_files
from pybench.disk.size_limit import BoundedFolder, mark_as_used

FOLDER = BoundedFolder("features", suffix=".npy", variable="PYBENCH_FEATURE_CACHE_GB")
_CHECK_SUM = 4  # bytes
_SHARE_TO_FILL = 8  # an eighth of the limit is free when room was made

Extract = Callable[[Tensor], list[Tensor]]


class FeatureCache:
    """One trial's access to the cache. A map that cannot be written is returned all the same; ``remarks`` says why.

    ``extracted`` and ``found`` count images. The seconds of extraction are spent on ``features``, those of hashing,
    reading, writing and waiting for another trial's extraction on ``feature_cache``.

    Args:
        spend: see ``Context.spend``.

    Raises:
        InputError: ``PYBENCH_FEATURE_CACHE_GB`` is no number.
    """

    def __init__(self, spend: Callable[[str, float], None]) -> None:
        self._folder, self.limit, self._spend = FOLDER.path, FOLDER.limit(), spend
        self.extracted, self.found = 0, 0
        self.remarks: list[str] = []
        self._can_write = True
        self._extracting = 0.0  # seconds
        # Each process makes room after so many bytes, so that all together stay within the eighth that this frees.
        self._stride = self.limit // (_SHARE_TO_FILL * (os.cpu_count() or 1))
        self._unseen = self.limit  # bytes written since room was made; it is made before the first byte
        self._lock: int | None = None

    def maps(self, backbone: str, layers: Sequence[int], images: Tensor, extract: Extract) -> list[Tensor]:
        """Feature maps [B, C_l, H_l, W_l] of images, one per layer, channels last in memory.

        Of several processes that ask for an image at once, one extracts it; the others take their other images first.

        Args:
            backbone: digest of all that a map depends on beside image and layer.
            layers: numbers of the layers.
            images: float [B, 3, S, S], what the backbone sees.
            extract: gives the maps of one image [1, 3, S, S].
        """
        started, extracting = time.perf_counter(), self._extracting
        names = [f"{backbone}-{_digest(image)}" for image in images]
        maps = self._gather(names, layers, images, extract)
        joined = [torch.stack([maps[name][index] for name in names]) for index in range(len(layers))]
        extracting = self._extracting - extracting
        self._spend("features", extracting)
        self._spend("feature_cache", time.perf_counter() - started - extracting)
        return [layer.permute(0, 3, 1, 2) for layer in joined]

    def provenance(self) -> dict[str, Any]:
        """For the record: how many images were extracted and how many found; empty where none was asked for."""
        seen = {"extracted": self.extracted, "found": self.found}
        return {"features": seen} if any(seen.values()) else {}

    def close(self) -> None:
        """Close the lock file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _gather(
        self, names: Sequence[str], layers: Sequence[int], images: Tensor, extract: Extract
    ) -> dict[str, list[Tensor]]:
        """Maps [H, W, C] of each image by its name."""
        extracted = self.extracted
        found = {name: maps for name in names if (maps := self._read(name, layers)) is not None}
        for is_patient in (False, True):
            for name, image in zip(names, images, strict=True):
                if name in found:
                    continue
                with self._claim(name, wait=is_patient) as is_ours:
                    if is_ours:
                        found[name] = self._read(name, layers) or self._extract(name, layers, image[None], extract)
        self.found += len(names) - (self.extracted - extracted)
        return found

    def _extract(self, name: str, layers: Sequence[int], image: Tensor, extract: Extract) -> list[Tensor]:
        """Extract maps [H, W, C] and write them."""
        started = time.perf_counter()
        maps = [layer[0].permute(1, 2, 0).contiguous() for layer in extract(image)]
        self._extracting += time.perf_counter() - started
        self.extracted += 1
        for layer, values in zip(layers, maps, strict=True):
            self._write(self._file(name, layer), values.numpy())
        return maps

    def _file(self, name: str, layer: int) -> Path:
        return self._folder / f"{name}-{layer}{FOLDER.suffix}"

    def _read(self, name: str, layers: Sequence[int]) -> list[Tensor] | None:
        """Maps [H, W, C] of all layers, or None where one is missing or damaged."""
        maps = []
        for layer in layers:
            file = self._file(name, layer)
            try:
                values = _mapped(file)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                self._remark(f"kept features could not be read: {self._folder}: {error.strerror or error}")
                return None
            if values is None:
                self._remark(f"{file} is damaged; made anew")
                return None
            mark_as_used(file)
            maps.append(torch.from_numpy(values))
        return maps

    def _write(self, file: Path, values: NDArray[np.float32]) -> None:
        if not self._can_write:
            return
        try:
            if self._unseen >= self._stride:
                FOLDER.make_room(self.limit // _SHARE_TO_FILL)
                self._unseen = 0
            self._unseen += _store(file, values)
        except OSError as error:
            self._go_on_without(error)

    @contextlib.contextmanager
    def _claim(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Hold an image's byte of the lock file; False where another process has it and is not waited for.

        Where there are no locks, each does its own work.
        """
        if (descriptor := self._opened_lock()) is None:
            yield True
            return
        place = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:  # taken; where it was waited for, this disk has no locks
            yield wait
            return
        try:
            yield True
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)

    def _opened_lock(self) -> int | None:
        if self._lock is None and self._can_write:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                self._go_on_without(error)
        return self._lock

    def _go_on_without(self, error: OSError) -> None:
        self._can_write = False
        self._remark(f"features were not kept: {self._folder}: {error.strerror or error}")

    def _remark(self, line: str) -> None:
        if line not in self.remarks:
            self.remarks.append(line)


_active: ContextVar[FeatureCache | None] = ContextVar("feature_cache", default=None)


def active() -> FeatureCache | None:
    """The cache of the trial that runs here; None outside of trials, and where the limit is 0."""
    return _active.get()


@contextlib.contextmanager
def opened(spend: Callable[[str, float], None]) -> Iterator[FeatureCache]:
    """The cache, for all who ask for features within the block.

    Raises:
        InputError: ``PYBENCH_FEATURE_CACHE_GB`` is no number.
    """
    cache = FeatureCache(spend)
    token = _active.set(cache if cache.limit else None)
    try:
        yield cache
    finally:
        _active.reset(token)
        cache.close()


def _digest(image: Tensor) -> str:
    """32 hex digits of an image's values and shape."""
    sha = hashlib.sha256(repr((image.dtype, tuple(image.shape))).encode())
    sha.update(image.contiguous().numpy().data)
    return sha.hexdigest()[:32]


def _mapped(file: Path) -> NDArray[np.float32] | None:
    """The array of a file, mapped into memory; None where it is not what was written.

    A file that is replaced or removed meanwhile stays as it is for those who have it mapped.
    """
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size <= _CHECK_SUM:
            return None
        # Private rather than read-only, because torch takes no memory that cannot be written to.
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    end = len(mapped) - _CHECK_SUM
    if zlib.crc32(memoryview(mapped)[:end]) != int.from_bytes(mapped[end:], "little"):
        return None
    np.lib.format.read_magic(mapped)
    shape, _, dtype = np.lib.format.read_array_header_1_0(mapped)
    return np.frombuffer(mapped, dtype, math.prod(shape), mapped.tell()).reshape(shape)


def _store(file: Path, values: NDArray[np.float32]) -> int:
    """Write an array and its check sum, by which a reader notices damage; returns the file's size in bytes."""
    with atomic_files.replaced(file) as opened:
        sum_ = _ChecksumWriter(opened.write)
        np.lib.format.write_array_header_1_0(sum_, np.lib.format.header_data_from_array_1_0(values))
        sum_.write(values.data)
        opened.write(sum_.value.to_bytes(_CHECK_SUM, "little"))
        return opened.tell()


class _ChecksumWriter:
    """Passes what it is given to a file, and computes the check sum of all of it."""

    def __init__(self, write: Callable[[Any], int]) -> None:
        self._write, self.value = write, 0

    def write(self, content: bytes | memoryview) -> None:
        self.value = zlib.crc32(content, self.value)
        self._write(content)
