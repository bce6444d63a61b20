"""What a trial asks a cluster for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors.demand import Demand
from pybench.planning.plan import Plan
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.trial.job import Job
from pybench.types import InputError


def test_limits_say_what_a_trial_asks_for_and_are_no_part_of_its_key(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    plain, limited = planned(), planned(limits_gpus="0.25", limits_memory_gb="1.5")
    assert [spec.key() for spec in plain.specs] == [spec.key() for spec in limited.specs]
    job = JobFactory(limited, Store(tmp_path / "run")).make(limited.specs[0])
    assert Demand.of(job) == Demand(1, 0, int(1.5 * 2**30))
    on_gpu = job.spec.model_copy(update={"resources": job.spec.resources.model_copy(update={"device": "cuda"})})
    demand = Demand.of(replace(job, spec=on_gpu))
    assert (demand.options()["num_gpus"], demand.options()["memory"]) == (0.25, 3 * 2**29)
    assert demand.options()["runtime_env"]["env_vars"]["OPENBLAS_NUM_THREADS"] == "1"
    assert str(demand) == "1 core, 0.25 GPU, 1.5 GB of memory"
    assert demand.fits({"CPU": 1.0, "GPU": 1.0, "memory": 2.0**31})
    assert not demand.fits({"CPU": 1.0, "memory": 2.0**31})


def test_a_method_says_what_its_trials_need(job: Job) -> None:
    cls = registry.load("method", "difference")
    assert Demand.of(job) == Demand(1, 0, 0)
    assert "memory" not in Demand.of(job).options()
    cls.memory_gb = 2
    assert Demand.of(job).memory == 2 * 2**30
    assert Demand.of(replace(job, memory_gb=1)).memory == 2**30


@pytest.mark.parametrize(("value", "message"), [("1.5", "expected at most 1"), ("0", "greater than 0"), ("2", "")])
def test_gpus_are_a_share_or_whole(planned: Callable[..., Plan], value: str, message: str) -> None:
    if not message:
        assert planned(limits_gpus=value).limits.gpus == 2
        return
    with pytest.raises(InputError, match=rf"limits.gpus: .*{message}"):
        planned(limits_gpus=value)
