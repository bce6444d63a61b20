"""Fitted states: the one that would be measured is kept, within a limit, and checked; no error of it ends a trial."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pybench.disk import size_limit
from pybench.spec import TrialSpec
from pybench.trial import fitted_states
from pybench.trial.fitted_states import Origin
from pybench.types import InputError

STATE: dict[str, Any] = {"mean": torch.arange(1000.0), "names": ["a", "b"], "nothing": None}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("PYBENCH_FITTED_GB", "1")
    monkeypatch.setattr(size_limit, "_SPARED", 0)


def origin(category: str = "lid", seed: int = 0, code: str = "c", method: str = "padim") -> Origin:
    spec = TrialSpec(
        suite="s", dataset="d", category=category, method=method, params={}, seed=seed, profile="quick", metrics=()
    )
    return Origin(spec, f"images of {category}", code, {"weights": "w"})


def test_a_state_is_found_by_all_that_it_comes_from() -> None:
    assert fitted_states.find(origin()) == (None, "none was kept")
    assert fitted_states.keep(origin(), STATE, 10) == ""
    file, where = fitted_states.find(origin())
    assert where == "kept by its trial"
    assert file is not None
    loaded = fitted_states.load(file, "cpu")
    assert torch.equal(loaded["mean"], STATE["mean"])
    assert loaded["names"] == ["a", "b"]
    for other in (origin(code="other"), replace(origin(), assets={}), origin(method="hetmm")):
        assert fitted_states.find(other) == (None, "none was kept")
    for other in (origin(seed=1), replace(origin(), fingerprint="other images")):
        assert fitted_states.find(other) == (None, "what was kept is of another trial")


def test_of_trials_that_share_a_latency_that_which_is_measured_keeps_its_state() -> None:
    trials = [(origin("plate"), 10), (origin("lid", seed=1), 10), (origin("lid"), 10), (origin("plate"), 11)]
    ranks = [fitted_states.rank(of.spec, images) for of, images in trials]
    assert ranks == sorted(ranks, reverse=True)
    for best in range(len(trials)):
        for of, images in reversed(trials[: best + 1]):  # the best first, and others do not take its place
            assert fitted_states.keep(of, STATE, images) == ""
        assert fitted_states.find(trials[best][0])[0] is not None
    assert len(list(fitted_states.FOLDER.path.glob("*.pt"))) == 1
    assert fitted_states.keep(trials[0][0], STATE, 10, is_measured=True) == ""
    assert fitted_states.find(trials[0][0])[0] is not None


@pytest.mark.parametrize("damage", ["changed", "shorter", "no label", "bad label"])
def test_damage_is_found_and_made_good(damage: str) -> None:
    fitted_states.keep(origin(), STATE, 10)
    file = origin().file()
    raw, label = file.read_bytes(), file.with_suffix(".json")
    if damage == "no label":
        label.unlink()
    elif damage == "bad label":
        label.write_text("{")
    else:
        file.write_bytes(raw[:-1] if damage == "shorter" else raw[:700] + bytes([raw[700] ^ 1]) + raw[701:])
    found, why = fitted_states.find(origin())
    assert found is None
    assert why == ("none was kept" if "label" in damage else f"{file} was damaged")
    assert fitted_states.keep(origin(), STATE, 10) == ""
    assert fitted_states.find(origin())[0] == file


def test_the_least_recently_used_go_when_the_limit_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    methods = [f"method_{number}" for number in range(5)]
    fitted_states.keep(origin(method=methods[0]), STATE, 10)
    taken = fitted_states.FOLDER.size()
    monkeypatch.setenv("PYBENCH_FITTED_GB", str(3.5 * taken / 2**30))
    for number, method in enumerate(methods[1:], start=1):
        fitted_states.keep(origin(method=method), STATE, 10)
        os.utime(origin(method=method).file(), (number, number))
        fitted_states.find(origin(method=methods[0]))  # used just now
    there = [method for method in methods if fitted_states.find(origin(method=method))[0]]
    assert there == [methods[0], methods[3], methods[4]]
    assert fitted_states.FOLDER.size() == 3 * taken
    monkeypatch.setenv("PYBENCH_FITTED_GB", str(taken / 2 / 2**30))
    assert "more than PYBENCH_FITTED_GB allows" in fitted_states.keep(origin("large"), {"t": torch.zeros(taken)}, 10)


def test_a_full_disk_is_remarked_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(state: object, file: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    assert "No space left on device" in fitted_states.keep(origin(), STATE, 10)
    assert fitted_states.find(origin()) == (None, "none was kept")
    assert {file.name for file in fitted_states.FOLDER.path.iterdir()} == {"fitted.lock"}


def test_a_folder_that_cannot_be_made_is_remarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "file"))
    assert "the fitted state was not kept" in fitted_states.keep(origin(), STATE, 10)
    assert fitted_states.find(origin())[0] is None


def test_the_variable_switches_it_off_and_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_FITTED_GB", "0")
    assert fitted_states.keep(origin(), STATE, 10) == ""
    assert not fitted_states.FOLDER.path.exists()
    monkeypatch.setenv("PYBENCH_FITTED_GB", "much")
    with pytest.raises(InputError, match="PYBENCH_FITTED_GB: expected a number of gigabytes"):
        fitted_states.keep(origin(), STATE, 10)
