"""States of fitted methods, kept on a machine so that their latency can be measured without fitting again.

<cache folder>/fitted/<latency key>-<made of>.pt     the state of one of the trials that share a latency
<cache folder>/fitted/<latency key>-<made of>.json   which trial's it is, and the sha256 of the state
<cache folder>/fitted/fitted.lock                    held by whoever writes one

Of the trials that share a latency, only the one that would be measured so far (``rank``) leaves its state.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from pybench.disk import atomic_files
from pybench.disk.compute_once import locked
from pybench.disk.size_limit import BoundedFolder, mark_as_used
from pybench.hashing import digest, file_sha256
from pybench.records import TrialSpec
from pybench.types import InputError

FOLDER = BoundedFolder("fitted", suffix=".pt", variable="PYBENCH_FITTED_GB")

Rank = tuple[int, str, int, int]


def rank(spec: TrialSpec, train_images: int) -> Rank:
    """Of trials that share a latency the one of the lowest rank is measured: that with the most training images; of
    several the first by name, whichever ended first."""
    return -train_images, spec.category, spec.data_seed, spec.seed


@dataclass(frozen=True)
class Origin:
    """Everything that a fitted state comes from."""

    spec: TrialSpec
    fingerprint: str
    code_version: str
    assets: Mapping[str, str]

    def identity(self) -> str:
        """Equal for states that are equal."""
        return digest([self.spec.key(), self.fingerprint, self.code_version, dict(self.assets)])

    def file(self) -> Path:
        """Where the state lies, or that of another trial with the same latency."""
        made_of = digest([self.code_version, dict(self.assets)])
        return FOLDER.path / f"{self.spec.latency_key()}-{made_of}{FOLDER.suffix}"


class _Label(BaseModel):
    """What is known of a state without reading it."""

    identity: str
    rank: Rank
    sha256: str


def keep(origin: Origin, state: dict[str, Any], train_images: int, *, is_measured: bool = False) -> str:
    """Keep a trial's state, unless one is there that would be measured rather; returns what went wrong, for the record.

    Args:
        origin: of the state.
        state: of the fitted method.
        train_images: that it was fitted on.
        is_measured: it takes the place of any other.

    Raises:
        InputError: ``PYBENCH_FITTED_GB`` is no number.
    """
    allowed, file, own = FOLDER.limit(), origin.file(), rank(origin.spec, train_images)
    if not allowed:
        return ""
    if (wanted := _bytes(state)) > allowed:
        return f"the fitted state was not kept: {wanted / 2**30:.1f} GB are more than {FOLDER.variable} allows"
    try:
        with locked(file.with_name("fitted.lock")):
            there = _label(file)
            is_better = there is not None and there.rank < own
            if (there is not None and there.identity == origin.identity()) or (is_better and not is_measured):
                return ""
            file.with_suffix(".json").unlink(missing_ok=True)
            FOLDER.make_room(wanted)
            sha256 = save(file, state)
            label = _Label(identity=origin.identity(), rank=own, sha256=sha256)
            atomic_files.write(file.with_suffix(".json"), label.model_dump_json().encode())
    except (OSError, InputError) as error:
        return f"the fitted state was not kept: {error}"
    return ""


def find(origin: Origin) -> tuple[Path | None, str]:
    """The file of a state, and in words where it comes from or why there is none."""
    file = origin.file()
    label = _label(file)
    if label is None:
        return None, "none was kept"
    if label.identity != origin.identity():
        return None, "what was kept is of another trial"
    try:
        if file_sha256(file) == label.sha256:
            mark_as_used(file)
            return file, "kept by its trial"
    except OSError as error:
        return None, f"{file} cannot be read: {error.strerror}"
    file.unlink(missing_ok=True)
    return None, f"{file} was damaged"


def save(file: Path, state: dict[str, Any]) -> str:
    """Write a state, whole or not at all; returns its sha256.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    with atomic_files.replaced(file) as opened:
        hashing = _Hashing(opened)
        torch.save(state, cast(IO[bytes], hashing))
    return hashing.sha256.hexdigest()


def load(file: Path, device: str) -> dict[str, Any]:
    """A state; nothing in it is executed, unless the method keeps objects that cannot be had otherwise."""
    try:
        state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        state = torch.load(file, map_location=device, weights_only=False)
    return state


class _Hashing:
    """Writes on, and keeps the hash of what it has written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _label(file: Path) -> _Label | None:
    """None where there is no state, or none whose label can be read."""
    try:
        label = _Label.model_validate_json(file.with_suffix(".json").read_bytes())
    except (OSError, ValidationError):
        return None
    return label if file.is_file() else None


def _bytes(state: Any) -> int:
    """About how much a state takes on the disk."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(map(_bytes, parts))
