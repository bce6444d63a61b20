"""`pybench best` as a command, and the picture of the front that it draws."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner
from typer.testing import Result as Done

from pybench.cli.app import app
from pybench.records import Outcome, Result
from pybench.report import front_plot
from pybench.results.store import Store
from tests.unit.report.detectors import FIVE, changed, detector


@pytest.fixture
def run(tmp_path: Path) -> Path:
    keep(tmp_path / "run", FIVE)
    return tmp_path / "run"


def keep(folder: Path, results: Sequence[Result]) -> None:
    store = Store(folder)
    store.write(*(Outcome(result.record) for result in results))
    for result in results:
        if result.latency is not None:
            store.write_latency(result.latency)


def invoke(*arguments: object) -> Done:
    return CliRunner().invoke(app, ["best", *map(str, arguments)])


def test_the_command_answers_first(run: Path) -> None:
    done = invoke(run, "--under", "latency_p95_ms<=22, peak_memory_mb<=4096")
    assert done.exit_code == 0, done.output
    first = "On tiles (quick profile) exact is best: AUPRO 0.30 90.0 within latency_p95_ms<=22 and peak_memory_mb<=4096"
    assert done.stdout.startswith(first)
    again = invoke(run, "--under", "latency_p95_ms<=22", "--under", "peak_memory_mb<=4096")
    assert again.stdout == done.stdout


def test_nothing_within_the_limits_is_exit_code_1(run: Path) -> None:
    done = invoke(run, "--under", "latency_p95_ms<=8")
    assert done.exit_code == 1
    assert done.stdout.startswith("On tiles (quick profile) nothing keeps latency_p95_ms<=8: fast comes closest")


def test_json_and_csv_hold_the_same(run: Path) -> None:
    limits = ("--under", "latency_p95_ms<=22")
    (selection,) = json.loads(invoke(run, *limits, "--format", "json").stdout)
    assert (selection["best"], selection["limits"]) == ("exact", ["latency_p95_ms<=22"])
    assert selection["margin"] == {
        "runner_up": "fast", "value": 0.05, "seeds": 1, "interval": None, "tells_apart": None,
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(invoke(run, *limits, "--format", "csv").stdout)))
    assert [row["candidate"] for row in rows] == [one["candidate"] for one in selection["candidates"]]
    assert [row["status"] for row in rows] == ["best", "eligible", "eligible", "over a limit", "over a limit"]
    assert rows[0]["value"] == "0.9"
    assert selection["candidates"][0]["latency_p95_ms_interval"] == [18, 20]
    assert rows[0]["latency_p95_ms_high"] == "20.0"


@pytest.mark.parametrize("suffix", front_plot.SUFFIXES)
def test_a_picture_is_written_for_every_suffix(run: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "new" / f"front{suffix}"
    assert invoke(run, "--plot", file).exit_code == 0
    assert [child.name for child in file.parent.iterdir()] == [file.name]
    content = file.read_bytes()
    if suffix == ".png":
        assert min(Image.open(file).size) > 600
    elif suffix == ".svg":
        assert ElementTree.fromstring(content).tag.endswith("svg")
    else:
        assert content.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "front.jpg"], "--plot front.jpg: expected a file name that ends in .png, .svg or .pdf"),
        (["--under", "latency_p95_ms<=20,p<=3"], "--under p<=3: unknown quantity 'p'"),
        (["--under", "latency_p95_ms<20"], "--under latency_p95_ms<20: only <= is known here"),
        (["--metric", "aupro"], "did you mean 'aupro_30'"),
        (["--metric", "overkill_rate", "--plot", "front.svg"], "nothing to draw"),
        (["--filter", "method=none"], "--filter method=none: unknown method"),
    ],
)
def test_what_is_wrong_is_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(run, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
    assert [child.name for child in tmp_path.iterdir()] == ["run"]


def test_a_picture_is_of_one_table(run: Path, tmp_path: Path) -> None:
    keep(run, changed(detector("a", 0.9), profile="paper"))
    done = invoke(run, "--plot", tmp_path / "front.svg")
    assert done.exit_code == 2
    assert "--plot draws one table, and here are 2; choose with --filter" in done.stderr
    assert not (tmp_path / "front.svg").exists()
    assert invoke(run, "--plot", tmp_path / "front.svg", "--filter", "profile=quick").exit_code == 0


def test_a_picture_that_cannot_be_written_leaves_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = invoke(run, "--plot", tmp_path / "file" / "front.svg")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert not done.stdout
