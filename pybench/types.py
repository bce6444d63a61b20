"""Core types: what a dataset hands out, what a method is, what a trial is and what it leaves behind.

Imports the standard library, numpy and pydantic only, so that ``pybench --help`` stays fast. The words are defined in
``docs/architecture.md``.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_VERSION = 1

Part = Literal["train", "test", "validation"]
Status = Literal["ok", "skipped", "failed", "timeout", "out_of_memory"]


class InputError(Exception):
    """Something the user gave cannot be used; the message says what, where and what would be right.

    The CLI prints it without a traceback and exits with code 2.
    """


class UndefinedMetricError(Exception):
    """A metric has no value on this test set (one class only, say); the message is the reason."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a method, a dataset or a number comes from."""

    title: str
    authors: str
    year: int
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.authors}: {self.title} ({self.year})"


# --- data ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Warp:
    """One drawn rotation and crop, applied alike to an image (bilinear) and its masks (nearest neighbour).

    ``angle`` is in degrees, counter-clockwise about the image's centre. ``crop`` is (top, left, height, width) as
    shares of the rotated image, which keeps the size of the original; the crop is scaled back to that size. Pixels
    that the rotation brings in are filled by ``fill``.
    """

    angle: float
    crop: tuple[float, float, float, float]
    fill: Literal["edge", "reflect", "black"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a split, by reference; ``pybench.images`` decodes it.

    ``label`` is 0 (normal) or 1 (anomalous). ``masks`` holds one file per annotation channel; an anomalous sample
    without any counts for image metrics and is left out of pixel metrics. A mask's pixel is defective where its 8-bit
    grey value is at least ``mask_threshold``.
    """

    image: Path
    label: int = 0
    defect_type: str = "good"
    masks: tuple[Path, ...] = ()
    mask_threshold: int = 128
    alpha: Literal["refuse", "white", "black"] = "refuse"
    warp: Warp | None = None


class DatasetOptions(BaseModel):
    """Base of a dataset's own options in a suite; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: Literal["refuse", "white", "black"] = Field(
        "refuse",
        description="what to do with an image that has an alpha channel: refuse it, or composite it on white or black",
    )


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What a dataset says of itself. ``categories`` is empty where the user names them (``folder``)."""

    name: str
    title: str
    categories: tuple[str, ...]
    licence: str
    url: str
    citation: Citation
    how_to_get: str


class Dataset(ABC):
    """A dataset in its owner's layout below ``root``.

    Args:
        root: folder of this dataset (``<data root>/<name>``).
        options: an instance of the class's ``Options``.
        data_seed: seed of everything random about the data (splits), shared by all methods.
    """

    info: ClassVar[DatasetInfo]
    Options: ClassVar[type[DatasetOptions]] = DatasetOptions
    generated: ClassVar[bool] = False  # made by ``split`` where it is not there yet

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """The dataset's folder below a data root."""
        if data_root is None:
            raise InputError(
                f"{cls.info.name}: no data root given (--data-root DIR, or the variable PYBENCH_DATA). "
                f"{cls.info.how_to_get}"
            )
        return data_root / cls.info.name

    def __init__(self, root: Path, options: DatasetOptions, data_seed: int) -> None:
        self.root = root
        self.options = options
        self.data_seed = data_seed

    @abstractmethod
    def split(self, category: str, part: Part) -> list[Sample]:
        """The samples of a part, sorted by path.

        Raises:
            InputError: the data is not there, or a folder is empty; says what was looked for, where, and how to get it.
        """


# --- methods ------------------------------------------------------------------------------------------------------


class MethodParams(BaseModel):
    """Base of a method's hyper-parameters: typed, bounded, documented; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_size: int = Field(256, ge=32, le=4096, description="images are resized to this many pixels squared")
    crop_size: int | None = Field(
        None, ge=32, le=4096, description="centre crop after resizing; none keeps the whole image"
    )

    @property
    def input_size(self) -> int:
        """Side of the square that the network sees."""
        return self.crop_size or self.image_size


@dataclass(frozen=True)
class Prediction:
    """What a method says of a batch; larger is more anomalous.

    ``scores`` is float [B]. ``maps`` is float [B, S, S] in the geometry of the model's input (S = ``input_size``), or
    None where the method gives no map.
    """

    scores: Tensor
    maps: Tensor | None


@dataclass(frozen=True)
class Context:
    """What a trial gives to a method beside its parameters: ``device`` is ``cpu`` or ``cuda``, ``backend`` names the
    native-op backend to force (``auto`` takes the best that can run)."""

    device: str = "cpu"
    seed: int = 0
    backend: str = "auto"


class Images(ABC, Sequence["Tensor"]):
    """Decoded images of a split: item i is float RGB [3, H, W] in [0, 1]."""

    @abstractmethod
    def batches(self, size: int) -> Iterator[Tensor]:
        """Consecutive images of equal shape as [B, 3, H, W], B <= size."""


class Method(ABC):
    """An anomaly detector: fits on normal images, predicts a score per image and a score map per pixel.

    A subclass declares ``name`` (its file's stem), ``Params``, ``paper`` and ``trains`` (it runs gradient descent). It
    keeps everything that it learned in ``state_dict``: tensors and plain values, loadable without executing code.
    """

    name: ClassVar[str]
    Params: ClassVar[type[MethodParams]]
    paper: ClassVar[Citation]
    trains: ClassVar[bool] = False

    def __init__(self, params: MethodParams, context: Context) -> None:
        self.params = params
        self.context = context

    @classmethod
    def unsupported(cls, params: MethodParams, device: str) -> list[str]:
        """Reasons why these parameters cannot run on this device; empty when they can."""
        return []

    @classmethod
    def is_stochastic(cls, params: MethodParams) -> bool:
        """Whether the result depends on the seed; where it does not, one seed is run."""
        return True

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Make sure that what a trial needs beside the data (weights) is on this machine, before any trial starts.

        Returns {name: sha256} of the files on which results depend. Raises ``InputError`` where something is missing.
        """
        return {}

    @abstractmethod
    def fit(self, train: Images) -> None:
        """Learn from normal images."""

    @abstractmethod
    def predict(self, images: Tensor) -> Prediction:
        """Score images [B, 3, H, W], float RGB in [0, 1] as decoded."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that ``fit`` learned."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned, on a method built with the same parameters."""

    def provenance(self) -> dict[str, Any]:
        """What a record should say of this fitted method: backbone, weights and their sha256."""
        return {}


# --- evaluation ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation:
    """A test set and what a method said of it: the one argument of every metric.

    Arrays are in test order. ``masks[i]`` is bool [H, W] (all false for a normal image), or None for an anomalous
    image without annotation, which pixel metrics leave out. ``maps`` is None where the method gives no maps, else
    ``maps[i]`` is float32 [H, W] of the shape of its mask. ``held_out`` holds the scores of normal images that were
    held out of a fit (K-fold), from which thresholds are set; None where the protocol does not ask for it.
    ``shared`` lets metrics share what they compute from the same evaluation.
    """

    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    defect_types: tuple[str, ...]
    masks: tuple[NDArray[np.bool_] | None, ...]
    maps: tuple[NDArray[np.float32], ...] | None
    held_out: NDArray[np.float64] | None = None
    shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number in [0, 1] computed from an evaluation. Raises ``UndefinedMetricError`` where it has no value."""

    name: str
    level: Literal["image", "pixel", "region"]
    higher_is_better: bool
    description: str
    function: Callable[[Evaluation], float]


# --- trials -------------------------------------------------------------------------------------------------------


class Protocol(BaseModel):
    """How a trial is evaluated; part of its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluate_at: Literal["input", "image"] = Field(
        "input", description="size at which maps meet masks: the model's input, or each image's own"
    )
    train_images: int | None = Field(
        None, ge=2, description="at most this many training images, drawn by the data seed; none takes all"
    )
    test_images: int | None = Field(
        None, ge=2, description="at most this many test images, drawn evenly over defect types; none takes all"
    )
    threshold_folds: int = Field(
        0, ge=0, le=10, description="folds of held-out normal images for overkill and escape rates; 0 leaves them out"
    )


class RtoOptions(BaseModel):
    """Random rotation and crop (paper 000, MAD-RTO); the paper gives no ranges, so they are explicit here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation: float = Field(
        ..., ge=0, le=180, description="angles are drawn uniformly from [-rotation, rotation] degrees"
    )
    crop: float = Field(..., gt=0, le=1, description="the crop's side is drawn uniformly from [crop, 1] of the image's")
    fill: Literal["edge", "reflect", "black"] = Field(
        "edge", description="what fills the corners that a rotation brings in"
    )


class Resources(BaseModel):
    """What a trial runs with; part of its key, because results depend on it within rounding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(1, ge=1, le=1024)
    backend: str = Field("auto", description="native-op backend to force; auto takes the best that can run")


class TrialSpec(BaseModel):
    """One trial in primitives only: workers receive this, never objects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str
    dataset: str
    category: str
    dataset_options: dict[str, Any] = {}
    rto: RtoOptions | None = None
    data_seed: int = 0
    method: str
    params: dict[str, Any]
    seed: int = 0
    profile: str
    metrics: tuple[str, ...]
    protocol: Protocol = Protocol()
    resources: Resources = Resources()

    def key(self) -> str:
        """Hash of the canonical spec: the file name of its record. The suite's name is no part of it."""
        return digest(self.model_dump(mode="json", exclude={"suite"}))

    def latency_key(self) -> str:
        """Trials that have this key in common share one latency measurement."""
        fields = {"dataset", "dataset_options", "rto", "method", "params", "profile", "protocol", "resources"}
        return digest(self.model_dump(mode="json", include=fields))


def digest(value: Any) -> str:
    """16 hex digits that depend on a JSON value only, not on the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Record(BaseModel):
    """What a trial left behind. ``metrics`` maps a name to its value, or to None with the reason in ``undefined``."""

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


# --- latency ------------------------------------------------------------------------------------------------------


class Timing(BaseModel):
    """Order statistics of repeated calls, in milliseconds. ``p99`` is None below 662 calls, where its 95 % interval
    would need an order statistic that is not there; ``intervals`` holds the 95 % intervals of the percentiles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: int
    p50: float
    p90: float
    p95: float
    p99: float | None
    intervals: dict[str, tuple[float, float]]


class Latency(BaseModel):
    """Batch-1 latency of one fitted method, measured alone on its machine.

    ``end_to_end`` covers decoding the file, preprocessing, prediction and the map on the host; ``predict`` the
    method's call on a decoded image. Measured once per (method, params, image size, resources), on ``category``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    dataset: str
    category: str
    method: str
    params: dict[str, Any]
    resources: Resources
    profile: str
    image_height: int
    image_width: int
    end_to_end: Timing
    predict: Timing
    first_call_ms: float
    peak_memory_mb: float
    flags: tuple[str, ...]
    manifest: dict[str, Any]
    code_version: str
    finished: str


@dataclass(frozen=True, slots=True)
class Result:
    """A trial's record and, where it was measured, the latency of its method with the same params and resources."""

    record: Record
    latency: Latency | None
