"""A trial as a Ray task: the messages between driver and worker, and what happens when an attempt is lost."""

from __future__ import annotations

import math
import pickle
import platform
import re
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import ray
from ray import ObjectRef, ObjectRefGenerator
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from pybench.executors import node, shipping
from pybench.executors.node import Lacking, Order, Refused
from pybench.executors.shipping import PackedPlugins, Shipment
from pybench.latency.measure import failure, measure
from pybench.machine.machine_lock import machine_lock
from pybench.planning.suite import LatencyProtocol
from pybench.records import Attempt, Latency, LatencyFailure, Outcome, Status, now
from pybench.trial import progress_file
from pybench.trial.failures import status_and_reason
from pybench.trial.job import Job
from pybench.trial.samples import load_samples
from pybench.types import InputError

_RETRIES = 3  # of a trial whose worker or node died
# In Ray's error where a node has no pybench, before or after the task starts.
_WITHOUT_PYBENCH = "failed to import on the worker", "No module named 'pybench"
_SHIPMENTS = 2  # kept for nodes that ask next: trials go category by category


@dataclass(frozen=True)
class Begun:
    """A trial's first message: where it was begun (the machine's name, and Ray's id of the node) and when."""

    node: str
    node_id: str
    moment: str


@dataclass(frozen=True)
class SentBack:
    """The message of a trial that cannot run on its node: why, and Ray's id of the node."""

    why: Lacking | Refused
    node_id: str


@dataclass(frozen=True)
class Sent:
    """A shipment, and its files in chunks."""

    shipment: Shipment
    chunks: list[ObjectRef[bytes]]


class Depot:
    """What the driver holds in Ray's object store for nodes to fetch."""

    def __init__(self) -> None:
        self._plugins: dict[tuple[Path, ...], ObjectRef[list[PackedPlugins]]] = {}
        self._shipments: dict[str, Sent] = {}

    def plugins(self, folders: tuple[Path, ...]) -> ObjectRef[list[PackedPlugins]]:
        """The folders of plug-ins with all that is in them."""
        if folders not in self._plugins:
            self._plugins[folders] = ray.put([shipping.pack_plugins(folder) for folder in folders])
        return self._plugins[folders]

    def data(self, job: Job) -> Sent:
        """A job's samples, and their files in chunks. Only the last ones are held; Ray keeps older ones for
        the tasks that still need them."""
        if job.fingerprint not in self._shipments:
            shipment, files = shipping.pack(load_samples(job.spec, job.data_root))
            while len(self._shipments) >= _SHIPMENTS:
                del self._shipments[next(iter(self._shipments))]
            chunks = [ray.put(chunk) for chunk in shipping.chunks(files)]
            self._shipments[job.fingerprint] = Sent(shipment, chunks)
        return self._shipments[job.fingerprint]


@dataclass
class Task:
    """A job in flight: where and when its current attempt began, and its earlier attempts.

    ``deadline`` is a time of ``time.monotonic`` in seconds, after which the attempt is late.
    """

    job: Job
    sent_back: SentBack | None = None
    lacks_data: bool = False
    begun: Begun | None = None
    deadline: float = math.inf
    earlier: list[Attempt] = field(default_factory=list)

    @property
    def is_begun(self) -> bool:
        """Whether a worker has begun the current attempt."""
        return self.begun is not None

    def is_late(self) -> bool:
        """Whether the current attempt has run longer than the job may."""
        return time.monotonic() > self.deadline

    def next(self, stream: ObjectRefGenerator) -> Outcome | None:
        """Read the task's next message: its outcome, or None if it goes on or has to be begun again.

        Raises:
            InputError: the node has no pybench.
        """
        try:
            message = pickle.loads(ray.get(next(stream)))
        except RayTaskError as error:
            if any(sign in str(error) for sign in _WITHOUT_PYBENCH):
                raise _without_pybench(error) from error
            raise  # run_trial catches what a method raises: this is a defect of pybench, and must be seen
        except RayError as error:
            return self.lost(error)
        if isinstance(message, Begun):
            self.begun, self.deadline = message, time.monotonic() + 60 * self.job.minutes
            return None
        if isinstance(message, SentBack):
            self.begun, self.deadline, self.sent_back = None, math.inf, message
            self.lacks_data |= isinstance(message.why, Lacking)
            return None
        outcome: Outcome = message
        return outcome.after(self.earlier)

    def lost(self, error: RayError) -> Outcome | None:
        """End the current attempt, which was lost. The outcome if no other attempt follows, else None."""
        was_late, begun = self.is_late(), self.begun or Begun("", "", now())
        self.begun, self.deadline = None, math.inf
        if was_late:
            return self._end(begun, "timeout", f"took longer than {self.job.minutes:g} minutes{self._last_report()}")
        is_memory = isinstance(error, OutOfMemoryError)
        if is_memory and self.job.batch_size == 1:
            return self._end(begun, "out_of_memory", "its worker was killed for its memory", str(error))
        if len(self.earlier) == _RETRIES:
            reason = f"its worker died {_RETRIES + 1} times ({type(error).__name__})"
            return self._end(begun, "failed", reason, str(error))
        reason = _first_line(error)
        self.earlier.append(Attempt(node=begun.node, started=begun.moment, ended=now(), reason=reason))
        if is_memory:
            self.job = replace(self.job, batch_size=1)
        return None

    def _end(self, begun: Begun, status: Status, reason: str, details: str = "") -> Outcome:
        return Outcome(self.job.record(status, begun.moment, reason=reason, traceback=details)).after(self.earlier)

    def _last_report(self) -> str:
        """What the trial reported last, if the driver can read it."""
        line = "" if self.job.progress_folder is None else progress_file.last_line(self.job.progress_folder)
        return f"; it reported last: {line}" if line else ""


def _first_line(error: RayError) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _without_pybench(error: RayTaskError) -> InputError:
    """The error for a node that cannot load the task, and so cannot send it back."""
    text = str(error).strip()
    where = re.search(r"ip=([^,)]+)", text)
    node = where.group(1) if where else "of the cluster"
    reason = text.splitlines()[-1]
    return InputError(f"node {node} cannot load pybench ({reason}); install the same pybench on every node")


def locked_trial(job: bytes, plugins: list[PackedPlugins], sent: Sent | None) -> Iterator[bytes]:
    """What a worker does: it sends ``Begun``, then the outcome, or ``SentBack`` if the trial cannot run there.

    The job and the messages travel pickled: Ray's own pickler takes several times as long for what is not bytes.
    """
    with machine_lock(exclusive=False):
        yield pickle.dumps(Begun(platform.node(), ray.get_runtime_context().get_node_id(), now()))
        result = node.trial(_order(pickle.loads(job), plugins, sent))
        yield pickle.dumps(result if isinstance(result, Outcome) else _sent_back(result))


def measured_latency(
    job: Job, plugins: list[PackedPlugins], sent: Sent | None, protocol: LatencyProtocol
) -> Latency | LatencyFailure | SentBack:
    """The same for a latency measurement, which sends no ``Begun``."""
    started = now()
    try:
        prepared = node.prepared(_order(job, plugins, sent))
    except Exception as error:
        return failure(job, started, *status_and_reason(error), traceback.format_exc())
    return measure(prepared, protocol) if isinstance(prepared, Job) else _sent_back(prepared)


def lost_latency(job: Job, started: str, error: RayError) -> LatencyFailure:
    """The failure of a measurement whose worker or node is lost; it is not begun again.

    Raises:
        InputError: the node has no pybench.
    """
    if isinstance(error, RayTaskError) and any(sign in str(error) for sign in _WITHOUT_PYBENCH):
        raise _without_pybench(error) from error
    status: Status = "out_of_memory" if isinstance(error, OutOfMemoryError) else "failed"
    return failure(job, started, status, _first_line(error), str(error))


def _order(job: Job, plugins: list[PackedPlugins], sent: Sent | None) -> Order:
    """Chunks are fetched one after another, when they are written."""
    if sent is None:
        return Order(job, plugins, None, ())
    return Order(job, plugins, sent.shipment, (ray.get(chunk) for chunk in sent.chunks))


def _sent_back(why: Lacking | Refused) -> SentBack:
    return SentBack(why, ray.get_runtime_context().get_node_id())
