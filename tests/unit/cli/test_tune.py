"""pybench tune: it leaves a suite that runs, marks an oracle, and goes on where it was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from pybench.cli.app import app
from pybench.planning.suite import load_suite
from pybench.results.store import Store


def options(data_root: Path, plugins: Path, out: Path) -> list[str]:
    given = ["--data-root", data_root, "--plugins", plugins, "--executor", "inline", "--profile", "paper", "--out", out]
    return list(map(str, given))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_leaves_a_suite_that_runs(
    tunable_suite: Path, data_root: Path, plugins: Path, tmp_path: Path
) -> None:
    given = options(data_root, plugins, tmp_path / "out")
    done = invoke(
        "tune", str(tunable_suite), "--method", "tunable", "--metric", "pixel_auroc", "--samples", "6", *given
    )
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "tiny_tune_tunable"
    log = json.loads((folder / "search.json").read_text())
    assert log["test_labels_read"] == {"by_this_process": 0, "by_trials": 0}
    assert not log["oracle"]
    assert [sample["number"] for sample in log["samples"]] == list(range(1, 7))
    assert log["best"] in log["front"]
    assert "test labels read: 0" in done.stdout
    assert "oracle" not in done.output.lower()
    assert f"pybench run {folder / 'best.yaml'}" in done.stdout
    best = log["samples"][log["best"] - 1]["params"]["gain"]

    loaded, _ = load_suite(str(folder / "best.yaml"))
    assert [(entry.label, entry.params["gain"]) for entry in loaded.methods] == [("defaults", 0.1), ("tuned", best)]
    # The guarded data set has no test set to give; the user's own has.
    (folder / "best.yaml").write_text((folder / "best.yaml").read_text().replace("name: guarded", "name: folder"))
    ran = invoke("run", str(folder / "best.yaml"), *given)
    assert ran.exit_code == 0, ran.output
    (tuned,) = [
        result.record
        for result in Store(tmp_path / "out" / loaded.name).results()
        if result.record.spec.label == "tuned"
    ]
    assert tuned.spec.evaluate_on == "test"
    assert tuned.metrics["pixel_auroc"] is not None


def test_an_oracle_is_marked_everywhere(tunable_suite: Path, data_root: Path, plugins: Path, tmp_path: Path) -> None:
    tunable_suite.write_text(tunable_suite.read_text().replace("name: guarded", "name: folder"))
    given = ["--metric", "pixel_auroc", "--samples", "4", "--oracle", *options(data_root, plugins, tmp_path / "out")]
    done = invoke("tune", str(tunable_suite), "--method", "tunable", *given)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "tiny_tune_tunable_oracle"
    log = json.loads((folder / "search.json").read_text())
    assert log["oracle"]
    assert log["metrics"] == ["pixel_auroc_oracle"]
    assert log["test_labels_read"]["by_trials"] > 0
    assert {name for sample in log["samples"] for name in sample["values"]} == {"pixel_auroc_oracle"}
    numbers = [line for line in done.output.splitlines() if "AUROC" in line and "[" in line]
    assert numbers
    assert all("(oracle)" in line for line in numbers)
    assert "test set (oracle)" in (folder / "best_oracle.yaml").read_text()
    for result in Store(folder).results():
        assert result.record.spec.evaluate_on == "oracle"
        assert "(oracle)" in result.record.remarks[0]


def test_a_killed_search_goes_on_where_it_stopped(
    tunable_suite: Path, data_root: Path, plugins: Path, tmp_path: Path
) -> None:
    def command(out: Path) -> list[str]:
        asked = ["--method", "tunable", "--metric", "pixel_auroc", "--samples", "5", "--set", "params.seconds=0.3"]
        return [sys.executable, "-m", "pybench", "tune", str(tunable_suite), *asked, *options(data_root, plugins, out)]

    def records(out: Path) -> dict[str, Any]:
        return {path.stem: json.loads(path.read_text()) for path in out.glob("tiny_tune_tunable/guarded/*/*/*.json")}

    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(records(killed)) < 3:
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline, "no three records within five minutes"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = records(killed)
    for out in (killed, undisturbed):
        subprocess.run(command(out), check=True, capture_output=True)
    after = records(killed)
    assert {key: record["finished"] for key, record in before.items()} == {
        key: after[key]["finished"] for key in before
    }, "a finished trial was run again"
    assert after.keys() == records(undisturbed).keys()
    one, other = (json.loads((out / "tiny_tune_tunable" / "search.json").read_text()) for out in (killed, undisturbed))
    assert one == other
