"""A run as one flat file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pybench.report.export import to_csv, write_table
from pybench.results import flat
from pybench.types import InputError
from tests.unit.results.measured import FAILED, result


def test_csv_reads_back() -> None:
    rows = flat.rows([result("a"), FAILED])
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [line["method"] for line in read] == ["a", "b"]
    assert read[0]["params.layers"] == "[1, 2]"
    assert read[1]["metrics.image_auroc"] == ""


def test_parquet_reads_back_with_types(tmp_path: Path) -> None:
    import pandas

    rows = flat.rows([result("a", params={"k": 1, "crop": None}), result("b", params={"k": "all"}), FAILED])
    write_table(rows, tmp_path / "new" / "table.parquet")
    frame = pandas.read_parquet(tmp_path / "new" / "table.parquet")
    assert list(frame.columns) == list(rows[0])
    assert frame["metrics.image_auroc"].tolist()[:2] == [0.5, 0.5]
    assert frame["params.k"].tolist()[:2] == ["1", "all"]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["table.parquet"]


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    write_table([{"a": 1}], file)
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_table([{"a": 1}, {"b": 2}], file)
    assert file.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [file]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.parquet or \.csv"):
        write_table([], tmp_path / "table.xlsx")


@pytest.mark.parametrize("name", ["folder.csv", "file/table.parquet"])
def test_a_place_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{name}: cannot be written"):
        write_table([{"a": 1}], tmp_path / name)
