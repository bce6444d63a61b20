"""Records on disk: one JSON file per trial. A crash during a write leaves the old file or the new one, complete.

<run>/<dataset>/<category>/<method>/<key>.json     the record
<run>/<dataset>/<category>/<method>/<hash>.npz     its curves and per-image scores
<run>/<dataset>/<category>/<method>/<hash>.png     its worst misses and false alarms
<run>/latency/<key>.json                           latencies
<run>/latency/<key>.failed.json                    why a latency could not be measured
<run>/attempts/<key>-<finished>.json               records that were replaced by a later one; latencies, by a failure
<run>/underway/<key>-<hash>/                       progress folder of a running trial (``trial/progress_file.py``)
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from pybench.disk import atomic_files
from pybench.hashing import json_hash
from pybench.records import SCHEMA_VERSION, Latency, LatencyFailure, Outcome, Record, Result
from pybench.registry import unknown
from pybench.spec import TrialSpec
from pybench.types import InputError

if TYPE_CHECKING:
    import pandas

_LATENCY, _ATTEMPTS, _PROGRESS = "latency", "attempts", "underway"
_FAILED = ".failed.json"


class Store:
    """The records in the folder of one run. Several processes may write to it; the last record of a key is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *outcomes: Outcome) -> list[Record]:
        """Write the records of outcomes and the files beside them. The returned records name these files.

        An older record of the same key is moved to the attempts. The progress folders of the trials are removed.
        Several outcomes are written to the disk together, which takes about as long as one.

        Raises:
            InputError: the disk is full, or cannot be written for another reason; or an older record cannot be read.
        """
        records: dict[Path, Record] = {}
        beside: dict[Path, bytes] = {}
        for outcome in outcomes:
            path = self._path(outcome.record.spec, outcome.record.key)
            files = _beside(outcome)
            beside |= {path.with_name(name): content for name, content in files.values()}
            beside |= self._retired(path)
            names = {field: files[field][0] if field in files else None for field in ("curves", "examples")}
            records[path] = outcome.record.model_copy(update=names)
        atomic_files.write_all(beside)  # before the records that name them
        atomic_files.write_all({path: _json(record) for path, record in records.items()})
        for record in records.values():
            self.remove_progress(record.key, record.fingerprint, record.code_version, record.assets)
        return list(records.values())

    def record(self, spec: TrialSpec) -> Record | None:
        """The record of a trial, or None. It may be of any status, and of other data, code or weights than today's."""
        path = self._path(spec, spec.key())
        return _read(Record, path) if path.is_file() else None

    @property
    def progress_folders(self) -> Path:
        """The folder that holds the progress folders of all trials that have not ended."""
        return self.folder / _PROGRESS

    def progress_folder(self, key: str, fingerprint: str, code_version: str, assets: dict[str, str]) -> Path:
        """Where a trial keeps its checkpoints. With other data, code or weights it is another folder."""
        return self.progress_folders / f"{key}-{json_hash([fingerprint, code_version, assets])}"

    def remove_progress(self, key: str, fingerprint: str, code_version: str, assets: dict[str, str]) -> None:
        """Remove a trial's checkpoints, so that it starts from the beginning."""
        shutil.rmtree(self.progress_folder(key, fingerprint, code_version, assets), ignore_errors=True)

    def write_latency(self, latency: Latency | LatencyFailure) -> None:
        """Write a latency, or the reason why it could not be measured. It replaces an older one of the same key. A
        latency that a failure replaces is moved to the attempts.

        Raises:
            InputError: the disk is full, or cannot be written for another reason.
        """
        measured, failed = (self._latency_path(latency.key, kind) for kind in (Latency, LatencyFailure))
        if isinstance(latency, Latency):
            atomic_files.write(measured, _json(latency))
            failed.unlink(missing_ok=True)
        else:
            atomic_files.write_all({**self._retired(measured, Latency), failed: _json(latency)})
            measured.unlink(missing_ok=True)

    def latency(self, spec: TrialSpec, code_version: str, measured_by: str) -> Latency | None:
        """The latency of this trial, or of another that shares it; None where other code ran in it or measured it."""
        path = self._latency_path(spec.latency_key(), Latency)
        latency: Latency | None = _read(Latency, path) if path.is_file() else None
        if latency is None or (latency.code_version, latency.measured_by) != (code_version, measured_by):
            return None
        return latency

    def results(self) -> list[Result]:
        """All records with their latencies, by dataset, category, method and key.

        Raises:
            InputError: a file that is not a readable record; it is named.
        """
        latencies: dict[str, Latency] = {}
        failures: dict[str, LatencyFailure] = {}
        for one in self.latencies():
            if isinstance(one, Latency):
                latencies[one.key] = one
            else:
                failures[one.key] = one
        records = [_read(Record, path) for path in self._record_paths()]
        keys = [record.spec.latency_key() for record in records]
        return [
            Result(record, latencies.get(key), failures.get(key)) for record, key in zip(records, keys, strict=True)
        ]

    def latencies(self) -> list[Latency | LatencyFailure]:
        """All latencies and failures to measure one, by key; also those without a record.

        Raises:
            InputError: a file that is not a readable latency; it is named.
        """
        paths = sorted((self.folder / _LATENCY).glob("*.json"))
        return [_read(LatencyFailure if path.name.endswith(_FAILED) else Latency, path) for path in paths]

    def _record_paths(self) -> Iterator[Path]:
        for path in sorted(self.folder.glob("*/*/*/*.json")):
            if path.relative_to(self.folder).parts[0] not in (_LATENCY, _ATTEMPTS, _PROGRESS):
                yield path

    def _path(self, spec: TrialSpec, key: str) -> Path:
        return Path(self.folder, spec.dataset, spec.category, spec.method, f"{key}.json")

    def _latency_path(self, key: str, kind: type[Latency | LatencyFailure]) -> Path:
        return self.folder / _LATENCY / (f"{key}.json" if kind is Latency else f"{key}{_FAILED}")

    def _retired(self, path: Path, kind: type[Record | Latency] = Record) -> dict[Path, bytes]:
        """The record or latency in this file as it will be written to the attempts, path -> content; empty if none."""
        if not path.is_file():
            return {}
        previous: Record | Latency = _read(kind, path)
        stamp = previous.finished.replace(":", "").replace("+0000", "Z")
        return {self.folder / _ATTEMPTS / f"{path.stem}-{stamp}.json": _json(previous)}


def find_runs(name: str | Path) -> list[Store]:
    """The runs at a folder, in the folders right below it, or in ``results/<name>``.

    Raises:
        InputError: there is no record in any of these.
    """
    looked_in = list(dict.fromkeys((Path(name), Path("results", name))))  # one folder where the path is absolute
    for folder in looked_in:
        below = sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
        runs = [store for store in map(Store, [folder, *below]) if any(store._record_paths())]
        if runs:
            return runs
    known = [child.name for child in Path("results").iterdir() if child.is_dir()] if Path("results").is_dir() else []
    raise InputError(f"no records in {' or '.join(map(str, looked_in))}; {unknown('run', str(name), known)}")


def load_results(run: str | Path) -> pandas.DataFrame:
    """One row per trial of a run: spec, status, ``metrics.*``, ``params.*``, ``latency.*``, timings.

    Raises:
        InputError: no run there, or a file that is not a readable record.
    """
    import pandas

    from pybench.results.flat import rows

    return pandas.DataFrame(rows([result for store in find_runs(run) for result in store.results()]))


def _read(model: type[Any], path: Path) -> Any:
    try:
        value = model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path}: not a readable {model.__name__.lower()}: {error}") from error
    if isinstance(value, Record) and value.schema_version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: written by a newer pybench (schema {value.schema_version}; this one reads up to {SCHEMA_VERSION})"
        )
    return value


def _json(value: BaseModel) -> bytes:
    """JSON with sorted keys, one value a line, so that two files can be compared by lines."""
    return to_json(_in_order(value.model_dump(mode="json")), indent=1) + b"\n"


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def _beside(outcome: Outcome) -> dict[str, tuple[str, bytes]]:
    """The files beside a record: field of the record -> name and content. The name is the content's hash."""
    contents = {}
    if outcome.arrays:
        contents["curves"] = "npz", _npz(outcome.arrays)
    if outcome.examples:
        contents["examples"] = "png", outcome.examples
    return {
        field: (f"{hashlib.sha256(content).hexdigest()[:16]}.{suffix}", content)
        for field, (suffix, content) in contents.items()
    }


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
