"""Files for nodes that share no disk with the driver. The driver cuts them into chunks, a node writes them.

<cache>/shipped/<hash of names and contents>/         the files
<cache>/shipped/<hash>.lock                           held by the worker that writes them; others on its node wait
<cache>/shipped/<fingerprint>.json                    the samples of a trial, and the folder that their files lie in
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pybench.disk import atomic_files
from pybench.disk.compute_once import locked
from pybench.disk.paths import cache_folder
from pybench.hashing import json_hash
from pybench.images.loading import fingerprint
from pybench.spec import TrialSpec
from pybench.trial.samples import TrialData, load_samples
from pybench.types import InputError, Sample

CHUNK = 64 * 2**20  # bytes: more at once would push trials' memory and other objects out of a node's object store
_KINDS = ("methods", "datasets", "metrics")


@dataclass(frozen=True)
class Contents:
    """Which files a stream of bytes holds, one after another: relative names and sizes in bytes.

    ``key`` is a hash of names and contents, and the name of their folder on every node.
    """

    key: str
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Shipment:
    """The samples of a trial, their paths relative to the folder of their files."""

    contents: Contents
    samples: TrialData


@dataclass(frozen=True)
class PackedPlugins:
    """A folder of plug-ins with all that is in it; ``folder`` is where the driver has it."""

    folder: Path
    contents: Contents
    stream: bytes


# --- what the driver does -----------------------------------------------------------------------------------------


def pack(samples: TrialData) -> tuple[Shipment, dict[str, Path]]:
    """A trial's samples as they travel, and the files that go with them, by relative name.

    Only what a sample names is shipped, so it does not matter how a dataset lies on the disk or what else it reads.
    """
    everything = [path for sample in [*samples.train, *samples.test] for path in (sample.image, *sample.masks)]
    parents = {path.absolute().parent for path in everything}
    # One folder more than needed: an image's folder is a part of its identity.
    root = Path(os.path.commonpath(parents)).parent
    files = {path.absolute().relative_to(root).as_posix(): path for path in everything}
    moved = _moved(samples, lambda path: path.absolute().relative_to(root))
    return Shipment(contents(files), moved), files


def pack_plugins(folder: Path) -> PackedPlugins:
    """A folder of plug-ins as it travels."""
    files = _plugin_files(folder)
    return PackedPlugins(folder, contents(files), b"".join(chunks(files)))


def contents(files: Mapping[str, Path]) -> Contents:
    """What a stream of these files will hold.

    Raises:
        InputError: a file is not there or cannot be read.
    """
    named = sorted(files)
    hashes = [[name, fingerprint([Sample(files[name])])] for name in named]
    return Contents(json_hash(hashes), tuple((name, files[name].stat().st_size) for name in named))


def chunks(files: Mapping[str, Path], size: int = CHUNK) -> Iterator[bytes]:
    """The files one after another, by name, cut into pieces of ``size`` bytes, of which the last is shorter."""
    chunk = bytearray()
    for name in sorted(files):
        with files[name].open("rb") as file:
            while part := file.read(size - len(chunk)):
                chunk += part
                if len(chunk) == size:
                    yield bytes(chunk)
                    chunk.clear()
    if chunk:
        yield bytes(chunk)


# --- what a node does ---------------------------------------------------------------------------------------------


def find(spec: TrialSpec, wanted: str, data_root: Path | None) -> TrialData | None:
    """A trial's samples as they lie on this node; None if it has none, or others.

    They are those of this process's last trial if it had the same. Otherwise they are looked for below this node's own
    data root (``PYBENCH_DATA``), below the driver's, and among earlier shipments. Generated data is generated.

    Args:
        wanted: the fingerprint that they must have.
        data_root: the driver's.
    """
    samples = _last.get((wanted, spec.evaluate_on))
    if samples is None or not _is(samples, wanted):
        samples = _found(spec, wanted, data_root) or _shipped_before(wanted)
    _last.clear()
    if samples is not None:
        _last[wanted, spec.evaluate_on] = samples
    return samples


# Trials go category by category, and to list folders takes longer than to look at files that are known.
_last: dict[tuple[str, str], TrialData] = {}  # by fingerprint and what is evaluated


def _found(spec: TrialSpec, wanted: str, data_root: Path | None) -> TrialData | None:
    own = os.environ.get("PYBENCH_DATA")
    for root in dict.fromkeys([Path(own).expanduser(), data_root] if own else [data_root]):
        try:
            samples = load_samples(spec, root)
        except (InputError, OSError):
            continue
        if _is(samples, wanted):
            return samples
    return None


def _is(samples: TrialData, wanted: str) -> bool:
    """Whether these are the samples that were planned with; False where a file is gone."""
    try:
        return fingerprint([*samples.train, *samples.test]) == wanted
    except (InputError, OSError):
        return False


def receive(shipment: Shipment, stream: Iterable[bytes], known_as: str) -> TrialData:
    """A trial's samples from a shipment, which is written to this node's cache where it is not there yet.

    Args:
        known_as: their fingerprint, by which later trials find them.

    Raises:
        InputError: the cache cannot be written, or the stream ends too early.
    """
    folder = unpack(shipment.contents, stream, _folder())
    atomic_files.write(_folder() / f"{known_as}.json", TypeAdapter(Shipment).dump_json(shipment))
    return _moved(shipment.samples, lambda path: folder / path)


def place_plugins(plugins: PackedPlugins) -> Path:
    """The plug-ins' folder on this node: the driver's where the same files lie there, else one in the cache.

    Raises:
        InputError: the cache cannot be written.
    """
    if _holds(plugins.folder, plugins.contents):
        return plugins.folder
    return unpack(plugins.contents, [plugins.stream], _folder())


def unpack(contents: Contents, stream: Iterable[bytes], parent: Path) -> Path:
    """The folder of a stream's files below ``parent``; of several processes that ask for it at once, one writes it.

    The folder is complete or absent, whatever is killed. If it is there, nothing is read from the stream.

    Raises:
        InputError: the folder cannot be written, or the stream ends too early.
    """
    folder, partial = parent / contents.key, parent / f".{contents.key}.partial"
    try:
        with locked(parent / f"{contents.key}.lock"):
            if not folder.is_dir():
                shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
                _write(contents, _Stream(stream), partial)
                partial.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


class _Stream:
    """Bytes that come in chunks, taken in pieces of another size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def take(self, size: int) -> Iterator[memoryview]:
        while size:
            self._left = self._left or memoryview(next(self._chunks, b""))
            if not self._left:
                raise InputError("what the driver sent ends too early: its files changed meanwhile")
            part, self._left = self._left[:size], self._left[size:]
            size -= len(part)
            yield part


def _write(contents: Contents, stream: _Stream, folder: Path) -> None:
    """Write the files and flush each to the disk, because the folder's final name means that all are complete."""
    folder.mkdir(parents=True)
    for name, size in contents.files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for part in stream.take(size):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())


def _shipped_before(wanted: str) -> TrialData | None:
    """Samples that were sent for an earlier trial. A damaged folder is removed; its files will be sent again."""
    try:
        shipment = TypeAdapter(Shipment).validate_json((_folder() / f"{wanted}.json").read_bytes())
    except (OSError, ValidationError):
        return None
    folder = _folder() / shipment.contents.key
    samples = _moved(shipment.samples, lambda path: folder / path)
    if _is(samples, wanted):
        return samples
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _moved(samples: TrialData, move: Callable[[Path], Path]) -> TrialData:
    def moved(sample: Sample) -> Sample:
        return replace(sample, image=move(sample.image), masks=tuple(map(move, sample.masks)))

    return replace(samples, train=list(map(moved, samples.train)), test=list(map(moved, samples.test)))


def _plugin_files(folder: Path) -> dict[str, Path]:
    """All files below the folders of plug-ins, a plug-in's own data included; hidden ones and bytecode are left out."""
    found = {}
    for path in (path for kind in _KINDS for path in sorted((folder / kind).rglob("*"))):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
            found[name.as_posix()] = path
    return found


@cache
def _holds(folder: Path, expected: Contents) -> bool:
    """Whether the same plug-ins lie in a folder. Checked once in a process, which imports them once, too."""
    return folder.is_dir() and contents(_plugin_files(folder)) == expected


def _folder() -> Path:
    return cache_folder() / "shipped"
