"""The search: a known optimum is found, no test label is read, limits hold, a killed search goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pybench import registry
from pybench.cli.app import app
from pybench.executors.inline import InlineExecutor
from pybench.planning.suite import LatencyProtocol, load_suite
from pybench.records import Latency, LatencyFailure, Record, Timing, now
from pybench.results.constraints import parse
from pybench.results.store import Store
from pybench.search.prepare import Prepared, prepare
from pybench.search.search import Sample, Search, Settings
from pybench.spec import TrialSpec
from pybench.trial.job import Job
from pybench.types import InputError

# The nearer ``gain`` is to 0.7 the less noise is in the map; ``steps`` is a budget; ``seconds`` are for the killer.
METHOD = '''
import time

import torch
from pydantic import Field

from pybench.geometry import Geometry
from pybench.types import Citation, Method, MethodParams, Prediction


class Params(MethodParams):
    image_size: int = 32
    gain: float = Field(0.1, ge=0, le=1, json_schema_extra={"search": True})
    kind: str = "fine"
    steps: int = Field(9, ge=1, json_schema_extra={"fidelity": True})
    seconds: float = 0


class Tunable(Method):
    """Difference to the mean image, and noise."""

    name = "tunable"
    Params = Params
    paper = Citation("none", "the tests", 2026)

    def fit(self, train):
        time.sleep(self.params.seconds)
        self.mean = torch.cat([Geometry.of(self.params).to_input(batch) for batch in train.batches(4)]).mean(0)

    def predict(self, images):
        if self.params.kind == "broken":
            raise RuntimeError("the lamp is broken")
        maps = (Geometry.of(self.params).to_input(images) - self.mean).abs().mean(1)
        noise = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0))
        maps = maps + noise * (2 * abs(self.params.gain - 0.7) + 0.05)
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"]
'''
# A data set that breaks whoever asks for its test set.
GUARDED = """
from dataclasses import replace

from pybench.datasets.folder import Folder


class Guarded(Folder):
    info = replace(Folder.info, name="guarded")

    def split(self, category, part):
        if part == "test":
            raise AssertionError("the test set was asked for")
        return super().split(category, part)
"""
METRIC = ("pixel_auroc",)


class Silent:
    """A listener that keeps how trials came."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reused: list[str] = []

    def started(self, total: int) -> None:
        pass

    def handed(self, spec: TrialSpec) -> None:
        pass

    def trial(self, record: Record, *, reused: bool) -> None:
        (self.reused if reused else self.ran).append(record.key)

    def measuring(self, spec: TrialSpec) -> None:
        pass

    def latency(self, latency: Latency | LatencyFailure) -> None:
        pass

    def sample(self, sample: Sample, best: Sample | None) -> None:
        pass


class Clockwork(InlineExecutor):
    """Measures what the test says: 100 ms per unit of ``gain``."""

    def measure(self, job: Job, protocol: LatencyProtocol) -> Latency:
        spec = job.spec
        took = 100 * float(spec.params["gain"])
        timing = Timing(calls=30, p50=took, p90=took, p95=took, p99=None, intervals={})
        return Latency(
            key=spec.latency_key(), dataset=spec.dataset, category=spec.category, method=spec.method,
            params=spec.params, resources=spec.resources, profile=spec.profile, image_height=40, image_width=40,
            end_to_end=timing, predict=timing, first_call_ms=took, peak_memory_mb=1, flags=(), manifest={},
            code_version=job.code_version, finished=now(),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def suite(plugins: Path, write_suite: Callable[..., Path]) -> Path:
    """A suite of one category, on the guarded data set, with the method above."""
    (plugins / "methods" / "tunable.py").write_text(METHOD)
    (plugins / "datasets").mkdir()
    (plugins / "datasets" / "guarded.py").write_text(GUARDED)
    registry.add_plugins(plugins)
    file = write_suite("tunable", categories="[lid]")
    file.write_text(file.read_text().replace("name: folder", "name: guarded"))
    return file


@pytest.fixture
def prepared(suite: Path, data_root: Path) -> Callable[..., Prepared]:
    def make(metrics: tuple[str, ...] = METRIC, **options: Any) -> Prepared:
        given = {"oracle": False, "filters": {}, "overrides": {}, "profile": "paper", "data_root": data_root, **options}
        return prepare(*load_suite(str(suite)), "tunable", metrics, **given)

    return make


def searched(
    prepared: Prepared,
    folder: Path,
    samples: int,
    *,
    limits: tuple[str, ...] = (),
    executor: type[InlineExecutor] = InlineExecutor,
) -> tuple[Search, Silent]:
    log = Silent()
    settings = Settings(prepared.plan.specs[0].metrics, parse(limits, "--constraint"), samples, 4, 0)
    search = Search(prepared.plan, prepared.space, settings, Store(folder), executor, log)
    search.run(lambda: None)
    return search, log


def test_a_known_optimum_is_found_without_a_test_label(prepared: Callable[..., Prepared], tmp_path: Path) -> None:
    search, log = searched(prepared(), tmp_path / "run", 24)
    assert search.best is not None
    assert search.best.params["gain"] == pytest.approx(0.7, abs=0.1)
    assert search.best.values["pixel_auroc"] > search.defaults.values["pixel_auroc"]
    assert search.defaults.params["gain"] == 0.1
    assert search.labels_read_here == 0
    records = [result.record for result in Store(tmp_path / "run").results()]
    assert {record.counts["test_labels_read"] for record in records} == {0}
    assert {record.spec.evaluate_on for record in records} == {"validation"}
    # Most samples were left at a part of the budget, and had none of the rest.
    stopped = [sample for sample in search.samples if sample.state == "stopped"]
    assert len(stopped) > 8
    full = {record.spec.params["gain"] for record in records if record.spec.params["steps"] == 9}
    assert not full & {sample.params["gain"] for sample in stopped}

    again, log = searched(prepared(), tmp_path / "run", 24)
    assert not log.ran, "all of a search is in its store"
    assert [sample.params for sample in again.samples] == [sample.params for sample in search.samples]
    longer, log = searched(prepared(), tmp_path / "run", 26)
    assert [sample.params for sample in longer.samples[:24]] == [sample.params for sample in search.samples]
    assert log.ran


def test_a_limit_holds(prepared: Callable[..., Prepared], tmp_path: Path) -> None:
    search, _ = searched(prepared(), tmp_path / "run", 20, limits=("latency_p95_ms<=50",), executor=Clockwork)
    assert search.best is not None
    assert search.best.params["gain"] <= 0.5
    complete = [sample for sample in search.samples if sample.state == "complete"]
    broken = [sample for sample in complete if not search.is_feasible(sample)]
    assert broken, "no sample broke the limit: the test shows nothing"
    assert not {sample.number for sample in broken} & {sample.number for sample in search.front}
    assert search.best in search.front
    for sample in search.front:
        assert not any(
            other.values["pixel_auroc"] > sample.values["pixel_auroc"]
            and other.measured["latency_p95_ms"] < sample.measured["latency_p95_ms"]
            for other in search.front
        )


def test_what_fails_is_never_best_and_the_search_goes_on(
    prepared: Callable[..., Prepared], suite: Path, tmp_path: Path
) -> None:
    text = "methods:\n  - name: tunable\n    search: {kind: [fine, broken], gain: {low: 0.2, high: 0.9}}"
    suite.write_text(suite.read_text().replace("methods:\n  - name: tunable", text))
    made = prepared()
    assert set(made.space) == {"kind", "gain"}
    search, _ = searched(made, tmp_path / "run", 9)
    failed = [sample for sample in search.samples if sample.state == "failed"]
    assert failed
    assert all("the lamp is broken" in sample.reason for sample in failed)
    assert search.best is not None
    assert search.best.params["kind"] == "fine"


def test_several_metrics_have_a_front(prepared: Callable[..., Prepared], tmp_path: Path) -> None:
    search, _ = searched(prepared(metrics=("image_auroc", "pixel_auroc")), tmp_path / "run", 6)
    assert search.best is not None
    assert set(search.best.values) == {"image_auroc", "pixel_auroc"}
    assert search.best.number in {sample.number for sample in search.front}


def test_what_the_user_sets_is_not_searched(prepared: Callable[..., Prepared]) -> None:
    with pytest.raises(InputError, match=r"tiny.yaml:8: methods\[0\]: nothing to search of tunable"):
        prepared(overrides={"params.gain": "0.3"})


def test_what_is_wrong_is_named(prepared: Callable[..., Prepared]) -> None:
    with pytest.raises(InputError, match="did you mean 'pixel_auroc'"):
        prepared(metrics=("pixel_auroq",))
    with pytest.raises(InputError, match="--metric pixel_auroc is given twice"):
        prepared(metrics=("pixel_auroc", "pixel_auroc"))
    with pytest.raises(InputError, match="--method says which"):
        prepared(filters={"method": "tunable"})


# --- the command ----------------------------------------------------------------------------------------------------


def options(data_root: Path, plugins: Path, out: Path) -> list[str]:
    given = ["--data-root", data_root, "--plugins", plugins, "--executor", "inline", "--profile", "paper", "--out", out]
    return list(map(str, given))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_leaves_a_suite_that_runs(suite: Path, data_root: Path, plugins: Path, tmp_path: Path) -> None:
    given = options(data_root, plugins, tmp_path / "out")
    done = invoke("tune", str(suite), "--method", "tunable", "--metric", "pixel_auroc", "--samples", "6", *given)
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


def test_an_oracle_is_marked_everywhere(suite: Path, data_root: Path, plugins: Path, tmp_path: Path) -> None:
    suite.write_text(suite.read_text().replace("name: guarded", "name: folder"))
    given = ["--metric", "pixel_auroc", "--samples", "4", "--oracle", *options(data_root, plugins, tmp_path / "out")]
    done = invoke("tune", str(suite), "--method", "tunable", *given)
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


def test_a_killed_search_goes_on_where_it_stopped(suite: Path, data_root: Path, plugins: Path, tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        asked = ["--method", "tunable", "--metric", "pixel_auroc", "--samples", "5", "--set", "params.seconds=0.3"]
        return [sys.executable, "-m", "pybench", "tune", str(suite), *asked, *options(data_root, plugins, out)]

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
