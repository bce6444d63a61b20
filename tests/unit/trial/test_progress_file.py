"""The progress file of a trial: one line, which any process that sees the folder can read."""

from __future__ import annotations

import os
from pathlib import Path

from pybench.trial import progress_file


def test_the_last_line_is_kept_with_the_name_of_the_fit(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    assert progress_file.last_line(folder) == ""
    report = progress_file.reporter(folder, "fit")
    report("phase 1/9")
    report("phase 2/9")
    assert progress_file.last_line(folder) == "phase 2/9"
    progress_file.reporter(folder, "fold-1-of-2")("phase 1/9")
    assert progress_file.last_line(folder) == "fold-1-of-2 phase 1/9"


def test_the_trial_that_reported_last_is_found(tmp_path: Path) -> None:
    assert progress_file.latest(tmp_path) is None
    assert progress_file.latest(tmp_path / "nothing") is None
    for number, name in enumerate(("first", "second")):
        progress_file.reporter(tmp_path / name, "fit")(f"line of {name}")
        os.utime(tmp_path / name / "progress", (number, number))
    assert progress_file.latest(tmp_path) == ("second", "line of second")


def test_a_file_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    progress_file.reporter(tmp_path / "file" / "trial", "fit")("phase 1/9")
    assert progress_file.last_line(tmp_path / "file" / "trial") == ""
