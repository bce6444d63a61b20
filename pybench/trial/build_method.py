"""Finds the method of a spec, and builds it with its parameters, seed, device and threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pybench import registry
from pybench.planning import strict_yaml
from pybench.spec import TrialSpec
from pybench.trial import progress_file
from pybench.trial.job import Job
from pybench.types import Context, Method, MethodParams


def class_and_parameters(spec: TrialSpec) -> tuple[type[Method], MethodParams]:
    """The class of a spec's method, and the spec's parameters as this class declares them.

    Raises:
        InputError: no such method, or its file cannot be imported.
        ValidationError: an unknown parameter, or a value that it cannot have.
    """
    cls: type[Method] = registry.load("method", spec.method)
    return cls, strict_yaml.validate(cls.Params, spec.params)


def unsupported(spec: TrialSpec) -> list[str]:
    """Why the method cannot run with these parameters on this device; empty if it can. For errors see
    ``class_and_parameters``."""
    cls, params = class_and_parameters(spec)
    return cls.unsupported(params, spec.resources.device)


def build_method(job: Job, fit: str | None = None, spend: Callable[[str, float], None] | None = None) -> Method:
    """A new method with the parameters of a job's spec. It also sets torch's threads and seed for this process.

    Args:
        job: the job.
        fit: name of the fit, under which its checkpoints and progress are kept; None keeps neither.
        spend: takes the seconds that the method spends on something other than its own fit (``Context.spend``).

    Raises:
        InputError, ValidationError: as ``class_and_parameters``.
    """
    spec = job.spec
    torch.set_num_threads(spec.resources.threads)
    torch.manual_seed(spec.seed)
    cls, params = class_and_parameters(spec)
    context = Context(spec.resources.device, spec.seed, spec.resources.backend)
    if job.progress_folder is not None and fit is not None:
        report = progress_file.reporter(job.progress_folder, fit)
        context = replace(context, checkpoints=job.progress_folder / fit, report=report)
    if spend is not None:
        context = replace(context, spend=spend)
    return cls(params, context)
