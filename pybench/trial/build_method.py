"""Builds the method of a job, with its parameters, seed, device and threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pybench import registry
from pybench.planning import strict_yaml
from pybench.trial import progress_file
from pybench.trial.job import Job
from pybench.types import Context, Method


def build_method(job: Job, fit: str | None = None, spend: Callable[[str, float], None] | None = None) -> Method:
    """A new method with the parameters of a job's spec. It also sets torch's threads and seed for this process.

    Args:
        job: the job.
        fit: name of the fit, under which its checkpoints and progress are kept; None keeps neither.
        spend: takes the seconds that the method spends on something other than its own fit (``Context.spend``).
    """
    spec = job.spec
    torch.set_num_threads(spec.resources.threads)
    torch.manual_seed(spec.seed)
    cls: type[Method] = registry.load("method", spec.method)
    params = strict_yaml.validate(cls.Params, spec.params)
    context = Context(spec.resources.device, spec.seed, spec.resources.backend)
    if job.progress_folder is not None and fit is not None:
        report = progress_file.reporter(job.progress_folder, fit)
        context = replace(context, checkpoints=job.progress_folder / fit, report=report)
    if spend is not None:
        context = replace(context, spend=spend)
    return cls(params, context)
