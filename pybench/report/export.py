"""One flat table of a run as a Parquet or CSV file, or as CSV text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pybench.disk import atomic_files
from pybench.types import InputError

SUFFIXES = (".parquet", ".csv")


def write_table(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Write rows of equal columns to ``file``; its suffix says the format. It is there whole or not at all.

    Raises:
        InputError: another suffix, or the file cannot be written.
    """
    if file.suffix not in SUFFIXES:
        raise InputError(f"{file}: expected a file name that ends in {' or '.join(SUFFIXES)}")
    atomic_files.write(file, to_csv(rows).encode() if file.suffix == ".csv" else _to_parquet(rows))


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a header line; None is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _to_parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    content = io.BytesIO()
    columns = {name: _one_type([row[name] for row in rows]) for name in rows[0]} if rows else {}
    pyarrow.parquet.write_table(pyarrow.table(columns), content)
    return content.getvalue()


def _one_type(values: list[Any]) -> list[Any]:
    """Parquet columns have one type: where methods give a parameter different ones, all its values become text."""
    kinds = {type(value) for value in values if value is not None}
    return values if len(kinds) <= 1 or kinds == {int, float} else [None if v is None else str(v) for v in values]
