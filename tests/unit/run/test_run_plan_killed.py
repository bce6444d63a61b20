"""A run that is killed loses no finished trial and goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

METHODS = ("slow", "difference")
TRAINED = """
import hashlib, time

import torch

from pybench import Budget, Citation, Geometry, Method, Prediction, TrainingParams, stack, train
from pybench.training import loop

loop.SECONDS_BETWEEN_CHECKPOINTS = 0


class Trained(Method):
    name = "trained"
    Params = TrainingParams
    paper = Citation("none", "the tests", 2026)

    def fit(self, images):
        images = stack(images, Geometry.of(self.params))
        self.network = torch.nn.Conv2d(3, 3, 3, padding=1)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=0.01)

        def loss(batch):
            time.sleep(0.01)
            noise = torch.from_numpy(batch.random.normal(size=batch.images.shape)).float()
            return {"squared": (self.network(batch.images + noise) - batch.images).square().mean()}

        self.log = train(
            "phase", self.network, loss, images, optimizer=optimizer,
            budget=Budget(steps=60), params=self.params, context=self.context,
        )

    def predict(self, images):
        inputs = Geometry.of(self.params).to_input(images)
        maps = (self.network(inputs) - inputs).abs().mean(1).detach()
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self):
        return self.network.state_dict()

    def load_state_dict(self, state):
        self.network.load_state_dict(state)

    def provenance(self):
        weights = b"".join(value.detach().numpy().tobytes() for value in self.network.state_dict().values())
        return {"weights": hashlib.sha256(weights).hexdigest(), "phase": self.log.provenance()}
"""


@pytest.fixture
def command(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., list[str]]:
    (plugins / "methods" / "trained.py").write_text(TRAINED)

    def make(out: Path, *methods: str) -> list[str]:
        suite = write_suite(*(methods or METHODS), categories="[lid]" if methods else "[lid, plate]")
        options = [
            "--data-root",
            data_root,
            "--plugins",
            plugins,
            "--executor",
            "inline",
            "--profile",
            "paper",
            "--out",
            out,
        ]
        return [sys.executable, "-m", "pybench", "run", str(suite), *map(str, options)]

    return make


def records(out: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (out / "tiny").glob("*/*/*/*.json")}


def start_and_wait_for_a_record(command: list[str], out: Path) -> subprocess.Popen[bytes]:
    # A run that a shell put into the background would ignore SIGINT, and hand that down to the tests' children.
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not records(out):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no record within two minutes"
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_stopped(
    command: Callable[..., list[str]], tmp_path: Path, number: signal.Signals
) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    process = start_and_wait_for_a_record(command(killed), killed)
    process.send_signal(number)
    assert process.wait() == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    before = records(killed)
    assert 0 < len(before) < 4
    subprocess.run(command(killed), check=True, capture_output=True)
    after = records(killed)
    subprocess.run(command(undisturbed), check=True, capture_output=True, env={**os.environ, "COLUMNS": "100"})
    assert {key: record["finished"] for key, record in before.items()} == {
        key: after[key]["finished"] for key in before
    }, "a finished trial was run again"
    expected = records(undisturbed)
    assert after.keys() == expected.keys()
    for key, record in after.items():
        assert record["status"] == "ok"
        assert record["metrics"] == expected[key]["metrics"]


def test_a_fit_that_is_killed_in_the_middle_ends_with_the_same_weights(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    process = subprocess.Popen(command(killed, "trained"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not list(killed.glob("tiny/underway/*/fit/phase.pt")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint within two minutes"
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not records(killed)
    for out in (killed, undisturbed):
        subprocess.run(command(out, "trained"), check=True, capture_output=True)
    (resumed,), (expected,) = records(killed).values(), records(undisturbed).values()
    assert 0 < resumed["provenance"]["phase"]["resumed_at"][0] < 60
    assert expected["provenance"]["phase"]["resumed_at"] == []
    assert resumed["provenance"]["weights"] == expected["provenance"]["weights"]
    assert resumed["provenance"]["phase"]["losses"] == expected["provenance"]["phase"]["losses"]
    assert resumed["metrics"] == expected["metrics"]
    assert not list(killed.glob("tiny/underway/*")), "checkpoints of a finished trial stay behind"


def test_two_runs_at_once_in_one_folder_do_not_harm_each_other(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "shared"
    processes = [subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1][-500:], process.returncode)[1] for process in processes] == [0, 0]
    found = records(out)
    assert len(found) == 4
    assert all(record["status"] == "ok" and (record["metrics"]["pixel_auroc"] or 0) > 0.9 for record in found.values())
    assert not [path for path in out.rglob(".*") if path.is_file()], "no temporary file is left behind"
