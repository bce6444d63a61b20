"""The results of a trial as they are kept on the disk: its record, and the latency of its method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pybench.spec import Resources, TrialSpec

SCHEMA_VERSION = 1

Status = Literal["ok", "skipped", "failed", "timeout", "out_of_memory"]


def now() -> str:
    """The current time as records state it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Attempt(BaseModel):
    """A start of a trial that gave no result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    node: str = Field(description="name of the machine; empty where the trial had not started on one")
    started: str
    ended: str
    reason: str


class Record(BaseModel):
    """The result of a trial, whatever its status. ``metrics`` maps a name to its value, or to None with the reason in
    ``undefined``. ``timings`` are in seconds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    key: str
    spec: TrialSpec
    status: Status
    reason: str = ""
    traceback: str = ""
    metrics: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    by_defect_type: dict[str, dict[str, float | None]] = {}
    intervals: dict[str, tuple[float, float]] = {}
    remarks: list[str] = []
    attempts: list[Attempt] = Field([], description="earlier ones of the same run")
    counts: dict[str, int] = {}
    timings: dict[str, float] = {}
    peak_memory_mb: float | None = None
    backends: dict[str, str] = {}
    provenance: dict[str, Any] = {}
    assets: dict[str, str] = {}
    fingerprint: str = ""
    code_version: str = ""
    environment: dict[str, Any] = {}
    started: str = ""
    finished: str = ""
    curves: str | None = Field(
        None, description="name of the npz file beside the record with curves and per-image scores"
    )
    examples: str | None = Field(
        None, description="name of the PNG file beside the record that shows its worst misses and false alarms"
    )


@dataclass(frozen=True)
class Outcome:
    """A record, the arrays that are kept beside it, and the contact sheet of its worst examples as a PNG file."""

    record: Record
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    examples: bytes | None = None

    def after(self, attempts: list[Attempt]) -> Outcome:
        """The outcome of a trial that was attempted before."""
        return replace(self, record=self.record.model_copy(update={"attempts": [*attempts, *self.record.attempts]}))


class Timing(BaseModel):
    """Percentiles of the duration of repeated calls, in milliseconds, and their 95 % ``intervals``.

    ``p99`` is None below 662 calls, which are too few for an interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: int
    p50: float
    p90: float
    p95: float
    p99: float | None
    intervals: dict[str, tuple[float, float]]


class ProcessTiming(BaseModel):
    """What one fresh process measured, in milliseconds: the median of its calls end to end with the 95 % interval, and
    all calls in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50: float
    interval: tuple[float, float]
    load_ms: float
    first_call_ms: float
    peak_memory_mb: float
    end_to_end_ms: tuple[float, ...]
    predict_ms: tuple[float, ...]


class Throughput(BaseModel):
    """Images a second that ``predict`` takes in batches of this size; None with the reason where it could not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int
    images_per_second: float | None
    reason: str = ""


class LatencyTaken(BaseModel):
    """What a latency was measured of, by which code and when.

    ``code_version`` is that of the trial, ``measured_by`` that of the code that measures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    dataset: str
    category: str
    method: str
    label: str = ""
    params: dict[str, Any]
    resources: Resources
    profile: str
    code_version: str
    measured_by: str = ""
    finished: str


class Latency(LatencyTaken):
    """Batch-1 latency of one fitted method, measured alone on its machine in fresh processes, one after another.

    ``end_to_end`` covers decoding the file, preprocessing, prediction and the map on the host; ``predict`` the
    method's call on a decoded image; both hold the calls of all processes, with all cores. ``one_thread`` is end to
    end with one thread. Measured once per (method, params, image size, resources), on ``category``. Fields with a
    default were added later: old files lack them.
    """

    image_height: int
    image_width: int
    end_to_end: Timing
    predict: Timing
    one_thread: Timing | None = None
    stages: dict[str, float] = Field({}, description="median milliseconds of each stage of a call end to end")
    stage_calls: int = Field(0, description="calls with stages, which are not among those of end_to_end")
    throughput: tuple[Throughput, ...] = ()
    load_ms: float | None = Field(None, description="from the file of a fitted state to a method that can predict")
    first_call_ms: float
    peak_memory_mb: float = Field(description="resident memory of a process that loads the state and predicts")
    peak_device_memory_mb: float | None = None
    processes: tuple[ProcessTiming, ...] = ()
    flags: tuple[str, ...]
    manifest: dict[str, Any]
    started: str = Field("", description="when its machine was free for it; a fit, where one is needed, comes first")

    @property
    def missing_share(self) -> float | None:
        """The share of the median call that no stage accounts for, below 0 where stages add up to more; None where
        they were not measured."""
        return 1 - sum(self.stages.values()) / self.end_to_end.p50 if self.stages else None


class LatencyFailure(LatencyTaken):
    """A latency that could not be measured, and why."""

    status: Status
    reason: str
    traceback: str = ""
    started: str


@dataclass(frozen=True, slots=True)
class Result:
    """A trial's record and, where it was measured, the latency of its method with the same params and resources, or
    why that failed."""

    record: Record
    latency: Latency | None
    latency_failure: LatencyFailure | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the trial or its latency ended without a result; what was skipped has not failed."""
        ends = [self.record.status, self.latency_failure.status if self.latency_failure else "ok"]
        return any(end not in ("ok", "skipped") for end in ends)
