"""What a worker of a cluster does before it runs a trial: it checks that its node has the same sources and the data."""

from __future__ import annotations

import platform
import shutil
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pybench import registry
from pybench.disk.paths import cache_folder
from pybench.executors import shipping
from pybench.executors.shipping import PackedPlugins, Shipment
from pybench.records import Outcome, now
from pybench.trial.code_version import code_version
from pybench.trial.failures import status_and_reason
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial
from pybench.types import InputError


@dataclass(frozen=True)
class Lacking:
    """The node does not have the data of the trial: the driver has to send it."""


@dataclass(frozen=True)
class Refused:
    """The trial must not run on this node, because the node's sources differ from the driver's."""

    node: str
    reason: str


@dataclass(frozen=True)
class Order:
    """A job as it travels, with what the node may lack. ``stream`` gives the chunks of the shipment's files."""

    job: Job
    plugins: Sequence[PackedPlugins]
    shipment: Shipment | None
    stream: Iterable[bytes]


def trial(order: Order) -> Outcome | Lacking | Refused:
    """Run a trial on this node. An error before it starts gives a ``failed`` record, too."""
    started = now()
    try:
        job = prepared(order)
    except Exception as error:
        _, reason = status_and_reason(error)
        return Outcome(order.job.record("failed", started, reason=reason, traceback=traceback.format_exc()))
    if not isinstance(job, Job):
        return job
    outcome = run_trial(job)
    folder = job.progress_folder
    if outcome.record.status == "ok" and folder is not None and folder != order.job.progress_folder:
        shutil.rmtree(folder, ignore_errors=True)  # the driver cannot reach it
    return outcome


def prepared(order: Order) -> Job | Lacking | Refused:
    """The job with this node's own folders of plug-ins, data and checkpoints.

    Raises:
        InputError: what was sent cannot be written to the cache.
    """
    job = order.job
    folders = tuple(map(shipping.place_plugins, order.plugins))
    for folder in folders:
        registry.add_plugins(folder)
    reason = _other_sources(job)
    if reason:
        return Refused(platform.node(), reason)
    samples = shipping.find(job.spec, job.fingerprint, job.data_root)
    if samples is None:
        if order.shipment is None:
            return Lacking()
        samples = shipping.receive(order.shipment, order.stream, job.fingerprint)
    return replace(job, plugins=folders, samples=samples, progress_folder=_own_place(job.progress_folder))


def _other_sources(job: Job) -> str:
    """Why this node's sources are not those that the driver planned with; empty if they are."""
    named: list[tuple[registry.Kind, str]] = [("method", job.spec.method), ("dataset", job.spec.dataset)]
    named += [("metric", name) for name in job.spec.metrics]
    try:
        for kind, name in named:
            registry.load(kind, name)
    except InputError as error:
        return str(error)
    version = code_version(job.spec)
    if version == job.code_version:
        return ""
    versions = f"code version {version}, not {job.code_version}"
    return f"its sources of {job.spec.method} or of pybench differ from the driver's ({versions})"


def _own_place(underway: Path | None) -> Path | None:
    """Where checkpoints go: into the run's folder where this node sees it, else into its cache."""
    if underway is None or underway.parent.is_dir():
        return underway
    return cache_folder() / "underway" / underway.name
