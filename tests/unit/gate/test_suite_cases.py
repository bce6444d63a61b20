"""The cases that `pybench gate --suite` makes of a suite's methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pybench import registry
from pybench.gate.suite_cases import cases

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _methods(plugins: Path) -> None:
    registry.add_plugins(plugins)


def test_each_method_is_predicted_and_timed_from_the_file(write_suite: Write, data_root: Path) -> None:
    suite = write_suite("difference", "slow")
    found = cases(str(suite), "paper", {"method": "difference"}, {}, str(data_root))
    assert list(found) == ["difference, predict", "difference, end to end"]
    seen = set()
    for build in found.values():
        call, images = build()
        seen.add(images)
        for index in (0, 1, 100):
            call(index)
    assert len(seen) == 1


def test_names_hold_what_differs_between_settings_of_a_method(write_suite: Write, data_root: Path) -> None:
    suite = write_suite("difference")
    suite.write_text(
        suite.read_text().replace("- name: difference", "- {name: difference, grid: {image_size: [32, 48]}}")
    )
    found = cases(str(suite), "paper", {}, {}, str(data_root))
    assert list(found)[::2] == ["difference image_size=32, predict", "difference image_size=48, predict"]


def test_other_images_are_noticed(write_suite: Write, data_root: Path) -> None:
    options = (str(write_suite("difference")), "paper", {}, {}, str(data_root))
    _, before = cases(*options)["difference, predict"]()
    (data_root / "lid" / "ok" / "0.png").write_bytes((data_root / "lid" / "ok" / "1.png").read_bytes())
    _, after = cases(*options)["difference, predict"]()
    assert before != after
