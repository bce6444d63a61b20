"""A trial as it is sent to a worker: its spec, and everything that the worker needs to run it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybench.machine.environment import environment
from pybench.records import Record, Status, now
from pybench.spec import TrialSpec
from pybench.trial import fitted_states
from pybench.trial.samples import TrialData

BATCH_SIZE = 8  # test images in one call of predict; results must not depend on it


@dataclass(frozen=True)
class Job:
    """A trial with the places where a worker finds its data and plug-ins.

    ``progress_folder`` takes checkpoints and a line that says how far the trial is; with None, neither is written.
    ``minutes`` is the time limit, where the executor can stop a trial. ``batch_size`` is the number of images that are
    predicted together. ``gpus`` and ``memory_gb`` are requested from a cluster; None requests what the method states.
    ``samples`` are the samples of the spec, if they have been loaded already; they must have this fingerprint.
    ``keeps_state`` leaves the fitted state on the machine, for a later latency measurement.
    """

    spec: TrialSpec
    data_root: Path | None
    plugins: tuple[Path, ...]
    fingerprint: str
    code_version: str
    assets: dict[str, str]
    progress_folder: Path | None = None
    minutes: float = math.inf
    batch_size: int = BATCH_SIZE
    gpus: float | None = None
    memory_gb: float | None = None
    samples: TrialData | None = None
    keeps_state: bool = False

    @property
    def origin(self) -> fitted_states.Origin:
        """The origin of the state that this job fits."""
        return fitted_states.Origin(self.spec, self.fingerprint, self.code_version, self.assets)

    def record(self, status: Status, started: str, **results: Any) -> Record:
        """The record of this job, which ends now.

        Args:
            status: how the trial ended.
            started: when it started, as ``pybench.records.now`` gives it.
            results: further fields of the record.
        """
        return Record(
            key=self.spec.key(),
            spec=self.spec,
            status=status,
            **results,
            fingerprint=self.fingerprint,
            code_version=self.code_version,
            assets=self.assets,
            environment=environment(),
            started=started,
            finished=now(),
        )
