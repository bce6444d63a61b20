"""HETMM: mutual matching of hard-nominal-example-aware templates."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from pybench.backbones.method import BackboneMethod, BackboneName, BackboneParams, BlurSigma, FitBatchSize, Layers
from pybench.images.score_maps import smooth, upsample
from pybench.ops import Precision, TemplateBank, mutual_match, pack_templates
from pybench.stages import stage
from pybench.types import Citation, Context, Images, MethodParams, Prediction

from .networks.hetmm_templates import Selection, select_templates


class HetmmParams(BackboneParams):
    backbone: BackboneName = "wide_resnet101_2"
    layers: Layers = (1, 2, 3)
    windows: tuple[int, ...] = Field(
        (9, 7, 5),
        min_length=1,
        max_length=12,
        description="side of the matching window on each layer; odd, 1: no window",
        json_schema_extra={"search": [[3, 3, 3], [5, 3, 3], [5, 5, 3], [7, 5, 3], [9, 7, 5], [11, 9, 7]]},
    )
    matching: Literal["mutual", "patch"] = Field(
        "mutual",
        description="mutual: pixels are searched for in windows (Eq. 3 to 6); patch: the mean of each window is "
        "compared with those of the templates at the same place (Table 8), which leaves alpha without effect",
    )
    alpha: float = Field(
        0.5,
        ge=0,
        le=1,
        description="weight of the forward map (Eq. 6); 1 is forward only, 0 backward only",
        json_schema_extra={"search": True},
    )
    offset: float = Field(
        0.0,
        ge=0,
        le=100,
        description="length of a constant channel that is added to all feature vectors of a layer, in root mean "
        "squares of their lengths, so that the direction of weak vectors is not noise; 0 is the paper's cosine",
        json_schema_extra={"search": [0.0, 0.5, 1.0, 2.0]},
    )
    sheets: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="templates kept at each position; none keeps all",
        json_schema_extra={"search": [None, 10, 20, 40, 60, 120]},
    )
    selection: Selection = Field(
        "optics",
        description="how sheets are chosen: optics is the paper's PTS, the others are what Fig. 9 compares it with",
    )
    precision: Precision = Field(
        "full", description="of the matching; reduced keeps templates in 16 bits and changes distances by about 1e-5"
    )
    sigma: BlurSigma = Field(4.0, description="blur before the maximum that is the image score (Eq. 11), in pixels")
    before_relu: bool = Field(
        True,
        description="features before a block's last ReLU, as in the authors' code; for torchvision's networks only",
    )
    batch_size: FitBatchSize = 8

    @model_validator(mode="after")
    def _one_odd_window_per_layer(self) -> HetmmParams:
        if len(self.windows) != len(self.layers):
            raise ValueError(f"windows: {len(self.windows)} given for {len(self.layers)} layers")
        if any(window < 1 or window % 2 == 0 for window in self.windows):
            raise ValueError(f"windows must be odd and positive, got {list(self.windows)}")
        return self

    @model_validator(mode="after")
    def _offset_is_for_mutual_matching(self) -> HetmmParams:
        if self.offset and self.matching != "mutual":
            raise ValueError(f"offset: {self.offset:g} is for matching: mutual; means of patches have unit vectors")
        return self

    @model_validator(mode="after")
    def _selection_needs_sheets(self) -> HetmmParams:
        if self.selection != "optics" and self.sheets is None:
            raise ValueError(f"selection: {self.selection} needs sheets, the number of templates to keep")
        return self


class Hetmm(BackboneMethod):
    """HETMM: forward and backward matching in windows (Eq. 3 to 6), summed over layers (Eq. 10), scored by the
    maximum of the blurred map (Eq. 11); templates are all normal images or the sheets that PTS selects (Sec. 3.3).

    What the paper compares with are settings too. Table 8: windows of 1 match point to point, ``matching: patch`` patch
    to patch, and ``alpha: 1`` is the forward HETM alone. Table 9: ``alpha: 0`` is the backward HETM alone.
    """

    name = "hetmm"
    Params = HetmmParams
    paper = Citation(
        "Hard Nominal Example-aware Template Mutual Matching for Industrial Anomaly Detection",
        "Chen et al.",
        2022,
        "arXiv:2303.16191",
    )

    params: HetmmParams

    def __init__(self, params: HetmmParams, context: Context) -> None:
        super().__init__(params, context, before_relu=params.before_relu)
        self.banks: list[TemplateBank] = []  # one per layer
        self.constants: list[float] = []  # value of the constant channel of each layer, where there is one

    @classmethod
    def is_stochastic(cls, params: MethodParams) -> bool:
        assert isinstance(params, HetmmParams)
        return params.has_random_features or params.selection != "optics"

    def fit(self, train: Images) -> None:
        super().fit(train)
        self.constants = []
        layers = self._extract(train)
        if self.params.offset:
            self.constants = [self.params.offset * _typical_length(layer) for layer in layers]
            layers = self._with_constants(layers)
        if self.params.sheets is not None:
            layers = [self._select(layer, self.params.sheets) for layer in layers]
        self.banks = [pack_templates(layer, self.params.precision) for layer in layers]

    def update(self, images: Images) -> None:
        """Add normal images to the templates of a fitted model, without fitting again (hot update, Sec. 4.2).

        They are inserted as they are, beside the sheets that were selected while fitting where there are such.
        """
        added = zip(self.banks, self._extract(images), strict=True)
        self.banks = [pack_templates(torch.cat([bank.templates(), layer]), bank.precision) for bank, layer in added]

    @stage("match")
    def predict(self, images: Tensor) -> Prediction:
        assert self.banks, "fit first"
        size = self.geometry.input_size
        total = torch.zeros(len(images), size, size)
        for layer, bank, window in zip(self._compared(images), self.banks, self._search, strict=True):
            forward, backward = mutual_match(layer, bank, window, window, backend=self.context.backend)
            total += upsample(self.params.alpha * forward + (1 - self.params.alpha) * backward, size).cpu()
        return Prediction(smooth(total, self.params.sigma).amax((1, 2)), total)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "banks": [vars(bank) for bank in self.banks], "constants": self.constants}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.banks = [TemplateBank(**bank).to(self.context.device) for bank in state["banks"]]
        self.constants = state["constants"]

    def _extract(self, images: Images) -> list[Tensor]:
        layers: list[list[Tensor]] = [[] for _ in self.params.layers]
        for batch in images.batches(self.params.batch_size):
            for collected, layer in zip(layers, self._compared(batch), strict=True):
                collected.append(layer)
        return [torch.cat(collected) for collected in layers]

    @property
    def _search(self) -> tuple[int, ...]:
        """Side of the window that is searched on each layer."""
        return self.params.windows if self.params.matching == "mutual" else (1,) * len(self.params.windows)

    def _compared(self, images: Tensor) -> list[Tensor]:
        """What is compared with templates at each position: the pixel's feature vector, or the mean of its patch.

        The paper has no formula for patch-level matching; it names PatchCore for it, whose patches are such means.
        """
        layers = self.features(images)
        if self.params.matching == "mutual":
            return self._with_constants(layers)
        # Zeros beyond the border shorten a mean, but cosines do not see its length.
        return [
            avg_pool2d(normalize(layer, dim=1), window, stride=1, padding=window // 2)
            for layer, window in zip(layers, self.params.windows, strict=True)
        ]

    def _with_constants(self, layers: list[Tensor]) -> list[Tensor]:
        """The layers with their constant channels; as they are where there are none."""
        if not self.constants:
            return layers
        return [
            torch.cat([layer, torch.full_like(layer[:, :1], constant)], 1)
            for layer, constant in zip(layers, self.constants, strict=True)
        ]

    def _select(self, layer: Tensor, sheets: int) -> Tensor:
        return select_templates(
            layer, sheets, self.params.selection, seed=self.context.seed, backend=self.context.backend
        )


def _typical_length(layer: Tensor) -> float:
    """Root mean square of the lengths of feature vectors [N, C, H, W]."""
    return float(layer.square().sum(1).mean().sqrt())
