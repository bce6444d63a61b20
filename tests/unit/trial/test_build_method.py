"""A method as a job's spec describes it, and what a fit may keep and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from pybench import registry
from pybench.spec import Resources, TrialSpec
from pybench.trial import progress_file
from pybench.trial.build_method import build_method, unsupported
from pybench.trial.job import Job
from pybench.types import InputError, Method, MethodParams

MakeSpec = Callable[..., TrialSpec]


def job(spec: TrialSpec, progress_folder: Path | None = None) -> Job:
    return Job(spec, None, (), "", "", {}, progress_folder=progress_folder)


def test_parameters_and_resources_are_those_of_the_spec(make_spec: MakeSpec) -> None:
    spec = make_spec(params={"image_size": 48}, seed=5, resources=Resources(threads=2, backend="reference"))
    method = build_method(job(spec))
    assert method.name == "difference"
    assert method.params.image_size == 48
    assert method.params.crop_size is None, "what the spec leaves out has its default"
    assert (method.context.device, method.context.seed, method.context.backend) == ("cpu", 5, "reference")
    assert torch.get_num_threads() == 2


def test_the_seed_is_set_anew_for_every_method(make_spec: MakeSpec) -> None:
    drawn = []
    for seed in (5, 5, 6):
        build_method(job(make_spec(seed=seed)))
        drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_named_fit_keeps_checkpoints_and_reports_its_progress(make_spec: MakeSpec, tmp_path: Path) -> None:
    method = build_method(job(make_spec(), tmp_path), "fold-1-of-2")
    assert method.context.checkpoints == tmp_path / "fold-1-of-2"
    method.context.report("phase 1/9")
    assert progress_file.last_line(tmp_path) == "fold-1-of-2 phase 1/9"


@pytest.mark.parametrize("fit", [None, "fit"])
def test_without_a_name_or_a_folder_nothing_is_kept(make_spec: MakeSpec, tmp_path: Path, fit: str | None) -> None:
    method = build_method(job(make_spec(), None if fit else tmp_path), fit)
    assert method.context.checkpoints is None
    method.context.report("phase 1/9")
    assert progress_file.last_line(tmp_path) == ""


def test_what_is_spent_goes_to_the_caller(make_spec: MakeSpec) -> None:
    spent: list[tuple[str, float]] = []
    method = build_method(job(make_spec()), spend=lambda name, seconds: spent.append((name, seconds)))
    method.context.spend("features", 1.5)
    assert spent == [("features", 1.5)]


@pytest.mark.parametrize(
    ("params", "key"), [({"image_sizes": 48}, "image_sizes"), ({"image_size": 31.5}, "image_size")]
)
def test_a_parameter_that_cannot_be_used_is_named(make_spec: MakeSpec, params: dict[str, float], key: str) -> None:
    with pytest.raises(ValidationError, match=rf"\n{key}\n"):
        build_method(job(make_spec(params=params)))


def test_an_unknown_method_is_named(make_spec: MakeSpec) -> None:
    unknown = replace(job(make_spec()), spec=make_spec(method="differenze"))
    with pytest.raises(InputError, match="unknown method 'differenze'; did you mean 'difference'"):
        build_method(unknown)


def test_what_a_method_says_of_its_parameters_and_the_device_is_asked(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu = make_spec(params={"image_size": 48}, resources=Resources(device="cuda"))
    assert unsupported(on_gpu) == []

    def reasons(cls: type[Method], params: MethodParams, device: str) -> list[str]:
        return [f"no {params.image_size} pixels on {device}"]

    monkeypatch.setattr(registry.load("method", "difference"), "unsupported", classmethod(reasons))
    assert unsupported(on_gpu) == ["no 48 pixels on cuda"]
