"""One flat table of a run as a Parquet or CSV file, or as CSV text."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pybench.types import InputError

SUFFIXES = (".parquet", ".csv")


def write_table(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Write rows of equal columns to ``file``; its suffix says the format. It is there whole or not at all.

    Raises:
        InputError: another suffix, or a folder that cannot be written to.
    """
    if file.suffix not in SUFFIXES:
        raise InputError(f"{file}: expected a file name that ends in {' or '.join(SUFFIXES)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}") from error
    os.close(descriptor)
    try:
        if file.suffix == ".csv":
            Path(temporary).write_text(to_csv(rows), encoding="utf-8", newline="")
        else:
            _write_parquet(rows, Path(temporary))
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a header line; None is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_parquet(rows: Sequence[dict[str, Any]], file: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {name: _one_type([row[name] for row in rows]) for name in rows[0]} if rows else {}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _one_type(values: list[Any]) -> list[Any]:
    """Parquet columns have one type: where methods give a parameter different ones, all its values become text."""
    kinds = {type(value) for value in values if value is not None}
    return values if len(kinds) <= 1 or kinds == {int, float} else [None if v is None else str(v) for v in values]
