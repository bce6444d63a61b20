"""What is checked before a run: every place that its data comes from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pybench import registry
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.types import InputError

SUITE = """
name: twice
title: One data set with two sets of options
datasets:
  - {name: folder, categories: [lid], options: {normal: "{category}/ok", defective: "{category}/nok"}}
  - {name: folder, categories: [lid], options: {normal: "{category}/ok", defective: "{category}/nok", test_share: 0.3}}
methods: [{name: difference}]
latency: null
"""


def planned(text: str, data_root: Path, plugins: Path, folder: Path) -> Plan:
    registry.add_plugins(plugins)
    suite = folder / "twice.yaml"
    suite.write_text(text)
    return plan(*load_suite(str(suite)), profile="paper", data_root=data_root)


def test_a_data_set_that_is_named_twice_is_checked_with_both_options(
    data_root: Path, plugins: Path, tmp_path: Path
) -> None:
    """What is missing belongs to the first entry; the second one has the same data set and category."""
    JobFactory(planned(SUITE, data_root, plugins, tmp_path), Store(tmp_path / "run")).check()
    missing = SUITE.replace("{category}/nok", "{category}/gone", 1)
    with pytest.raises(InputError, match="lid/gone"):
        JobFactory(planned(missing, data_root, plugins, tmp_path), Store(tmp_path / "run")).check()


def test_a_job_has_the_limits_of_its_plan_and_a_progress_folder_of_its_own(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    text = write_suite("difference", extra="latency: null\nlimits: {minutes: 3, memory_gb: 2}").read_text()
    store = Store(tmp_path / "run")
    made = planned(text, data_root, plugins, tmp_path)
    jobs = [JobFactory(made, store).make(spec) for spec in made.specs]
    assert [(job.minutes, job.memory_gb, job.gpus) for job in jobs] == [(3, 2, None)] * 2
    assert not any(job.keeps_state for job in jobs), "no latency is measured"
    assert len({job.progress_folder for job in jobs}) == 2
    assert all(job.progress_folder and os.path.isabs(job.progress_folder) for job in jobs)
    assert jobs[0].fingerprint != jobs[1].fingerprint
    assert jobs[0].code_version == jobs[1].code_version
