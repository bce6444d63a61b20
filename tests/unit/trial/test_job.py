"""A job: it travels to a worker, identifies the state that it fits, and makes the record of its trial."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from pybench.records import now
from pybench.spec import TrialSpec
from pybench.trial.job import Job
from pybench.trial.samples import TrialData
from pybench.types import Sample

SPEC = TrialSpec(
    suite="s", dataset="d", category="lid", method="padim", params={"image_size": 64}, profile="quick", metrics=()
)
JOB = Job(SPEC, Path("data"), (Path("mine"),), "f" * 16, "c" * 16, {"weights": "w"})


def test_without_limits_a_job_asks_for_none() -> None:
    assert math.isinf(JOB.minutes)
    assert (JOB.gpus, JOB.memory_gb) == (None, None), "the method's own are taken"
    assert JOB.progress_folder is None
    assert not JOB.keeps_state


def test_a_job_arrives_as_it_was_sent() -> None:
    sent = replace(JOB, minutes=1.5, samples=TrialData([Sample(Path("a.png"))], [], ["a remark"]))
    assert pickle.loads(pickle.dumps(sent)) == sent


def test_a_state_depends_on_data_code_and_weights_and_not_on_how_a_job_runs() -> None:
    alike = replace(JOB, batch_size=1, minutes=3, progress_folder=Path("here"), data_root=None, plugins=())
    assert alike.origin.identity() == JOB.origin.identity()
    others = [
        replace(JOB, fingerprint="0" * 16),
        replace(JOB, code_version="0" * 16),
        replace(JOB, assets={}),
        replace(JOB, spec=SPEC.model_copy(update={"seed": 1})),
    ]
    assert len({job.origin.identity() for job in [JOB, *others]}) == 5


def test_a_record_holds_what_the_result_depends_on() -> None:
    started = now()
    record = JOB.record("failed", started, reason="ValueError: x", traceback="...")
    assert (record.key, record.spec) == (SPEC.key(), SPEC)
    assert (record.fingerprint, record.code_version, record.assets) == ("f" * 16, "c" * 16, {"weights": "w"})
    assert (record.status, record.reason, record.traceback) == ("failed", "ValueError: x", "...")
    assert record.started == started
    assert datetime.fromisoformat(started) <= datetime.fromisoformat(record.finished)
    assert record.environment["python"]


def test_a_status_or_a_field_that_no_record_has_is_an_error() -> None:
    with pytest.raises(ValidationError, match="status"):
        JOB.record("lost", now())  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValidationError, match="reasons"):
        JOB.record("ok", now(), reasons="x")
