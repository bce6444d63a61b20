"""The contract: what a dataset hands out, what a method and a metric are.

Imports the standard library, numpy and pydantic only, so that ``pybench --help`` stays fast. The words are defined in
``docs/design/architecture.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor

Part = Literal["train", "test", "validation"]


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
class Saturation:
    """How much of a defect must be found for a full score in sPRO (P. Bergmann et al., IJCV 130, 2022).

    It applies to the masks that are drawn with ``pixel_value``. ``threshold`` counts pixels of the image's own size, or
    is a share of the mask's area where it is ``relative``.
    """

    pixel_value: int
    threshold: float
    relative: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a split, by reference; ``pybench.images.loading`` decodes it.

    ``label`` is 0 (normal) or 1 (anomalous). ``defect_type`` may have a kind before a slash (``logical/cable_swap``).
    ``masks`` holds one file per annotation channel; an anomalous sample without any counts for image metrics and is
    left out of pixel metrics. A mask's pixel is defective where its 8-bit grey value is at least ``mask_threshold``. A
    mask may be a NumPy array [T, H, W] of a whole clip (``.npy``), of which ``mask_frame`` is this image's; it is
    defective where it is not 0. With ``saturations`` each mask is one defect that may overlap others, and its grey
    value says which of them applies; without any, defects are the connected regions of all masks together.
    """

    image: Path
    label: int = 0
    defect_type: str = "good"
    masks: tuple[Path, ...] = ()
    mask_threshold: int = 128
    mask_frame: int = 0
    saturations: tuple[Saturation, ...] = ()
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
    """Description of a dataset.

    ``categories`` is empty where the user names them (``folder``). ``how_to_get`` tells the user where to get the data.
    """

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
    generated: ClassVar[bool] = False  # ``split`` makes the data if it is not there yet
    has_validation: ClassVar[bool] = False  # there is a part ``validation``: normal images that are not for training

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """The dataset's folder below a data root.

        Raises:
            InputError: no data root is given, and the dataset needs one.
        """
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
            InputError: the data is not there, or a folder is empty; the message says what was looked for, where, and
                how to get it.
        """


# --- methods ------------------------------------------------------------------------------------------------------


class MethodParams(BaseModel):
    """Base of a method's hyper-parameters: typed, bounded, documented; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_size: int = Field(256, ge=32, le=4096, description="images are resized to this many pixels squared")
    crop_size: int | None = Field(
        None, ge=32, le=4096, description="centre crop after resizing; none keeps the whole image"
    )

    @model_validator(mode="after")
    def _crop_fits_into_the_image(self) -> Self:
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise ValueError(
                f"crop_size {self.crop_size} is larger than image_size {self.image_size}; "
                "expected at most image_size, or null for the whole image"
            )
        return self

    @property
    def input_size(self) -> int:
        """Side of the square that the network sees, in pixels."""
        return self.crop_size or self.image_size


@dataclass(frozen=True)
class Prediction:
    """What a method predicts for a batch; larger is more anomalous.

    ``scores`` is float [B]. ``maps`` is float [B, S, S] in the geometry of the model's input (S = ``input_size``), or
    None where the method gives no map. ``artefacts`` help a person to understand the prediction: images [B, 3, H, W] in
    [0, 1] are shown in the trial's contact sheet, vectors [B, K] are kept for all test images.
    """

    scores: Tensor
    maps: Tensor | None
    artefacts: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a trial gives to a method beside its parameters.

    ``device`` is ``cpu`` or ``cuda``; ``backend`` names the native-op backend to force (``auto`` takes the best that
    can run). ``checkpoints`` is a folder for the checkpoints of this fit, from which a fit that was killed goes on;
    None keeps none. ``report`` takes a line that says how far a fit is. ``spend`` takes a name and the seconds of work
    that other trials share: the record lists them under this name and does not count them as time of the fit.
    """

    device: str = "cpu"
    seed: int = 0
    backend: str = "auto"
    checkpoints: Path | None = None
    report: Callable[[str], None] = lambda line: None
    spend: Callable[[str, float], None] = lambda name, seconds: None


class Images(ABC, Sequence["Tensor"]):
    """Decoded images of a split: item i is float RGB [3, H, W] in [0, 1]."""

    @abstractmethod
    def batches(self, size: int) -> Iterator[Tensor]:
        """Consecutive images of equal shape as [B, 3, H, W], B <= size."""


class Method(ABC):
    """An anomaly detector: fits on normal images, predicts a score per image and a score map per pixel.

    A subclass declares ``name`` (its file's stem), ``Params``, ``paper`` and ``trains`` (it runs gradient descent). It
    keeps everything that it learned in ``state_dict``: tensors and plain values, loadable without executing code.

    ``gpus`` (or the share of one, for trials on a GPU) and ``memory_gb`` are what its trials ask a cluster for, so that
    no more of them run on a node than it has room for; a suite's ``limits`` overrule them. 0 asks for none.
    """

    name: ClassVar[str]
    Params: ClassVar[type[MethodParams]]
    paper: ClassVar[Citation]
    trains: ClassVar[bool] = False
    gpus: ClassVar[float] = 1
    memory_gb: ClassVar[float] = 0

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
    def resolve(cls, params: MethodParams) -> tuple[MethodParams, str]:
        """Replace values that depend on the machine (``auto``); called before a trial's key is computed.

        Returns the parameters, and what was chosen, in words for the user; empty where nothing was chosen.
        """
        return params, ""

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Make sure that what a trial needs besides the data (weights) is on this machine; called before trials start.

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


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated defect of an image.

    ``pixels`` are indices into the flattened mask, [n], n > 0. ``saturation`` is how many of them must be found for a
    full score, in (0, n]; it need not be a whole number.
    """

    pixels: NDArray[np.intp]
    saturation: float


@dataclass(frozen=True)
class Evaluation:
    """A test set and a method's predictions for it: the one argument of every metric.

    Arrays are in test order. ``masks[i]`` is bool [H, W] (all false for a normal image), or None for an anomalous
    image without annotation, which pixel metrics leave out. ``maps`` is None where the method gives no maps, else
    ``maps[i]`` is float32 [H, W] of the shape of its mask. ``held_out`` holds the scores of normal images that were
    held out of a fit (K-fold), from which thresholds are set; None where the protocol does not ask for it.
    ``regions[i]`` are the defects of an image, which may overlap and whose union is its mask; None where the annotation
    does not tell them apart, so that they are the connected regions of the masks. ``shared`` lets metrics share what
    they compute from the same evaluation.
    """

    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    defect_types: tuple[str, ...]
    masks: tuple[NDArray[np.bool_] | None, ...]
    maps: tuple[NDArray[np.float32], ...] | None
    held_out: NDArray[np.float64] | None = None
    regions: tuple[tuple[Region, ...], ...] | None = None
    shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number in [0, 1] computed from an evaluation. Raises ``UndefinedMetricError`` where it has no value."""

    name: str
    level: Literal["image", "pixel", "region"]
    higher_is_better: bool
    description: str
    function: Callable[[Evaluation], float]
