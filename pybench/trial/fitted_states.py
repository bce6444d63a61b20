"""States of fitted methods, kept on a machine so that their latency can be measured without fitting again.

<cache folder>/fitted/<latency key>-<hash>.pt     the state of one of the trials that share a latency
<cache folder>/fitted/<latency key>-<hash>.json   which trial it comes from, and the sha256 of the state
<cache folder>/fitted/fitted.lock                 locked while a state is written

The hash is that of code and weights. Of the finished trials that share a latency, only the state of the one with the
lowest rank is kept (``rank``), because its latency is measured for all.
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
from pybench.hashing import file_sha256, json_hash
from pybench.spec import TrialSpec
from pybench.types import InputError

FOLDER = BoundedFolder("fitted", suffix=".pt", variable="PYBENCH_FITTED_GB")

Rank = tuple[int, str, int, int]


def rank(spec: TrialSpec, train_images: int) -> Rank:
    """Of the trials that share a latency, the one with the lowest rank is measured: the one with the most training
    images, and of several the first by category and seeds. The order in which trials end does not matter."""
    return -train_images, spec.category, spec.data_seed, spec.seed


@dataclass(frozen=True)
class Origin:
    """Everything that a fitted state depends on."""

    spec: TrialSpec
    fingerprint: str
    code_version: str
    assets: Mapping[str, str]

    def identity(self) -> str:
        """Equal for states that are equal."""
        return json_hash([self.spec.key(), self.fingerprint, self.code_version, dict(self.assets)])

    def file(self) -> Path:
        """The file of the state. Trials that share a latency share this file, so it may hold another one's state."""
        code_and_weights = json_hash([self.code_version, dict(self.assets)])
        return FOLDER.path / f"{self.spec.latency_key()}-{code_and_weights}{FOLDER.suffix}"


class _Label(BaseModel):
    """What the JSON file says about a state."""

    identity: str
    rank: Rank
    sha256: str


def keep(origin: Origin, state: dict[str, Any], train_images: int, *, is_measured: bool = False) -> str:
    """Keep the state of a trial, unless the state of a trial with a lower rank is there.

    Args:
        origin: what the state depends on.
        state: the state of the fitted method.
        train_images: number of images that it was fitted on.
        is_measured: replace any other state, because this one is being measured.

    Returns:
        A remark for the record if the state could not be kept, else an empty text.

    Raises:
        InputError: ``PYBENCH_FITTED_GB`` is not a number.
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
    """The file of a state or None, and a text that says where it comes from or why there is none.

    A damaged file is removed.
    """
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
    """Write a state and return its sha256. After a crash the file is complete or absent.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    with atomic_files.replaced(file) as opened:
        hashing = _Hashing(opened)
        torch.save(state, cast(IO[bytes], hashing))
    return hashing.sha256.hexdigest()


def load(file: Path, device: str) -> dict[str, Any]:
    """Read a state onto a device. No code in the file is executed, unless the method's state holds objects that torch
    cannot load otherwise."""
    try:
        state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        state = torch.load(file, map_location=device, weights_only=False)
    return state


class _Hashing:
    """A file that computes the sha256 of everything that is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _label(file: Path) -> _Label | None:
    """The label of a state; None if there is no state, or if its label cannot be read."""
    try:
        label = _Label.model_validate_json(file.with_suffix(".json").read_bytes())
    except (OSError, ValidationError):
        return None
    return label if file.is_file() else None


def _bytes(state: Any) -> int:
    """About how many bytes a state takes on disk."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(map(_bytes, parts))
