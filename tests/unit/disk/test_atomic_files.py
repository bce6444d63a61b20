"""Files that are complete or absent after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.disk import atomic_files


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_files_are_written_whatever_their_number(tmp_path: Path, count: int) -> None:
    contents = {tmp_path / str(number % 3) / f"{number}": f"content {number}".encode() for number in range(count)}
    atomic_files.write_all(contents)
    atomic_files.write_all({path: content + b"!" for path, content in contents.items()})
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == {
        path: content + b"!" for path, content in contents.items()
    }
