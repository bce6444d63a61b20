"""The clocks of CPU and GPUs as the system tells them, and None where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench.machine import clocks as module

GPU = ["H200", "570.1", "1980", "1980", "3201", "41"]


def test_clocks_are_those_that_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "cpuinfo_max_freq": "3500000",
        "cpuinfo": "processor: 0\ncpu MHz : 2000.4\nprocessor: 1\ncpu MHz : 3000.4",
        "scaling_governor": "performance",
    }
    monkeypatch.setattr(module, "text_of", lambda path: texts[Path(path).name])
    monkeypatch.setattr(module, "nvidia", lambda fields: [GPU])
    found = module.clocks()
    assert (found["cpu_mhz"], found["cpu_max_mhz"], found["governor"]) == (2500, 3500, "performance")
    assert list(found["gpus"][0].values()) == GPU


def test_what_the_system_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "text_of", lambda path: "")
    monkeypatch.setattr(module, "nvidia", lambda fields: [])
    assert module.clocks() == {"cpu_mhz": None, "cpu_max_mhz": None, "governor": None, "gpus": []}
