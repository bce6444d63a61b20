"""What a worker does before a trial: it looks for the data, the sources, and a place for checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pybench import registry
from pybench.executors import node, shipping
from pybench.executors.node import Lacking, Order, Refused
from pybench.trial.job import Job
from pybench.trial.run_trial import Outcome
from pybench.trial.samples import load_samples


def test_a_trial_is_sent_back_for_its_data_then_runs(job: Job, data_root: Path, tmp_path: Path) -> None:
    shipment, files = shipping.pack(load_samples(job.spec, data_root))
    chunks = list(shipping.chunks(files))
    here = node.trial(Order(job, (), None, ()))
    data_root.rename(tmp_path / "gone")
    assert isinstance(node.trial(Order(job, (), None, ())), Lacking)
    there = node.trial(Order(job, (), shipment, chunks))
    assert isinstance(here, Outcome)
    assert isinstance(there, Outcome)
    assert there.record.status == "ok"
    assert there.record.metrics == here.record.metrics
    assert there.record.fingerprint == here.record.fingerprint


def test_other_sources_are_refused(job: Job) -> None:
    answer = node.trial(Order(replace(job, code_version="0" * 16), (), None, ()))
    assert isinstance(answer, Refused)
    assert "not 0000000000000000" in answer.reason


def test_a_method_that_a_node_does_not_know_is_refused(job: Job) -> None:
    registry._plugin_folders.clear()
    answer = node.trial(Order(job, (), None, ()))
    assert isinstance(answer, Refused)
    assert "unknown method 'difference'" in answer.reason


def test_checkpoints_stay_on_a_node_that_does_not_see_the_run(job: Job, cache: Path) -> None:
    assert job.progress_folder is not None
    prepared = node.prepared(Order(job, (), None, ()))
    assert isinstance(prepared, Job)
    assert prepared.progress_folder == cache / "underway" / job.progress_folder.name
    job.progress_folder.parent.mkdir(parents=True)
    seen = node.prepared(Order(job, (), None, ()))
    assert isinstance(seen, Job)
    assert seen.progress_folder == job.progress_folder
