"""The base class of methods that use a backbone, and their parameters: which backbone, and which weights."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from pybench.backbones import feature_cache
from pybench.backbones.adapted import Adapted
from pybench.backbones.adapted_network import LAYERS as ADAPTED_LAYERS
from pybench.backbones.base import Backbone
from pybench.backbones.feature_maps import check_layers
from pybench.backbones.filter_bank import LAYERS, FilterBank
from pybench.backbones.names import LITE0, title
from pybench.backbones.networks import preparation
from pybench.backbones.packaged_weights import PACKAGED
from pybench.backbones.pretrained import Pretrained
from pybench.backbones.weights import fetch_weights, imagenet_within_reach
from pybench.hashing import json_hash
from pybench.images.geometry import Geometry, Interpolation
from pybench.stages import stage
from pybench.training.budget import Budget
from pybench.types import Context, Images, Method, MethodParams

FILTER_BANK = "filter_bank"
ADAPTED = "adapted"
_OWN_LAYERS = {FILTER_BANK: LAYERS, ADAPTED: ADAPTED_LAYERS}  # of the backbones that need no weights


# Parameters that several methods declare alike. They are types and not a base class, because a search draws parameters
# in the order in which the method declares them.
BackboneName = Annotated[
    str,
    Field(
        description="a network of torchvision, timm/NAME for any of timm's, open_clip/MODEL/WEIGHTS for an encoder of "
        "open_clip's, filter_bank, which needs no weights, or adapted, which is trained on the category's normal images"
    ),
]
Layers = Annotated[
    tuple[int, ...],
    Field(
        min_length=1,
        max_length=12,
        description="layers whose outputs are used; layer n has stride 2^(n+1), or is the n-th block of a transformer",
    ),
]
CropSize = Annotated[
    int | None, Field(ge=32, le=4096, description="centre crop after resizing; none keeps the whole image")
]
BlurSigma = Annotated[
    float,
    Field(
        ge=0,
        le=64,
        description="standard deviation of the map's blur, in pixels",
        json_schema_extra={"search": {"low": 0, "high": 12}},
    ),
]
FitBatchSize = Annotated[int, Field(ge=1, le=1024, description="images a pass through the backbone while fitting")]


class BackboneParams(MethodParams):
    """Parameters of every method that stands on a backbone."""

    backbone: BackboneName = "wide_resnet50_2"
    weights: str = Field(
        default_factory=lambda given: "none" if given.get("backbone") in _OWN_LAYERS else "imagenet",
        description="imagenet (the published ones, whatever they were trained on), random, or a file with a state "
        "dict; auto is imagenet where these are here or can be downloaded, else those of EfficientNet-Lite0, else the "
        "filter bank; none for filter_bank and adapted, which have none",
    )
    adaptation: Budget | None = Field(
        default_factory=lambda given: Budget(minutes=20) if given.get("backbone") == ADAPTED else None,
        description="how long backbone adapted is trained; once for all trials that share images, size and seed",
    )
    layers: Layers = (2, 3)
    interpolation: Literal["bilinear", "bicubic", "trained"] = Field(
        "bilinear", description="of the resize of images; trained is the one that the network was trained with"
    )

    @model_validator(mode="after")
    def _weights_fit_the_backbone(self) -> Self:
        if self.backbone in _OWN_LAYERS:
            if self.weights not in ("none", "auto"):
                raise ValueError(f"backbone {self.backbone} has no weights, got weights: {self.weights}; use none")
            known = _OWN_LAYERS[self.backbone]
            if not set(self.layers) <= set(known):
                raise ValueError(f"layers: backbone {self.backbone} has {list(known)}, got {list(self.layers)}")
        elif self.weights == "none":
            raise ValueError(f"weights: none is for {' and '.join(_OWN_LAYERS)}; backbone {self.backbone} needs some")
        if (self.adaptation is not None) != (self.backbone == ADAPTED):
            raise ValueError(f"adaptation: a budget is for backbone {ADAPTED}, which needs one; got {self.backbone}")
        return self

    @property
    def has_random_features(self) -> bool:
        """Whether the features depend on the seed."""
        return self.weights == "random" or self.backbone == ADAPTED


class BackboneMethod(Method, ABC):
    """Base of the methods that stand on a backbone: geometry, feature maps and what the record says of them.

    A subclass calls ``fit``, ``state_dict`` and ``load_state_dict`` of this class first in its own: features may have
    to be fitted before they are used.
    """

    params: BackboneParams

    def __init__(self, params: BackboneParams, context: Context, *, before_relu: bool = False) -> None:
        super().__init__(params, context)
        self.geometry = replace(Geometry.of(params), interpolation=_interpolation(params))
        self.backbone = _backbone(params, context, before_relu=before_relu)

    @classmethod
    def resolve(cls, params: MethodParams) -> tuple[MethodParams, str]:
        """See ``Method.resolve``: ``weights: auto`` becomes ImageNet's, or the filter bank."""
        assert isinstance(params, BackboneParams)
        if params.weights != "auto":
            return params, ""
        if params.backbone in _OWN_LAYERS:
            return _chosen(params, params.backbone, "none"), ""
        if imagenet_within_reach(params.backbone):
            return _chosen(params, params.backbone, "imagenet"), f"ImageNet weights of {title(params.backbone)}"
        why = f"as ImageNet weights of {title(params.backbone)} are neither here nor can be downloaded"
        if imagenet_within_reach(LITE0):
            return _chosen(params, LITE0, "imagenet"), f"ImageNet weights of {title(LITE0)}, {why}"
        bank = _chosen(params, FILTER_BANK, "none")
        return bank, f"{FILTER_BANK}, {why}, and {PACKAGED[LITE0].package} is not installed"

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Check the layers and fetch the weights; see ``Method.prepare``."""
        assert isinstance(params, BackboneParams)
        if params.backbone in _OWN_LAYERS:
            return {}
        check_layers(params.backbone, params.layers)
        return fetch_weights(params.backbone, params.weights)

    def fit(self, train: Images) -> None:
        """Fit the features."""
        self.backbone.fit(train, self.geometry)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images [B, 3, H, W] as decoded; in a trial, from the cache where that pays."""
        with stage("preprocess"):
            inputs = self.geometry.to_input(images.to(self.context.device))
        with stage("backbone"):
            return self._extracted(inputs)

    def _extracted(self, inputs: Tensor) -> list[Tensor]:
        cache, identity = feature_cache.active(), self.backbone.identity()
        if cache is None or identity is None:
            return self.backbone(inputs)
        return cache.maps(json_hash(identity), self.params.layers, inputs, self.backbone)

    def state_dict(self) -> dict[str, Any]:
        return {"backbone": self.backbone.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.backbone.load_state_dict(state["backbone"])

    def provenance(self) -> dict[str, Any]:
        return {
            "backbone": self.params.backbone,
            "weights": self.params.weights,
            "layers": list(self.params.layers),
            **self.backbone.provenance(),
        }


def _chosen(params: BackboneParams, backbone: str, weights: str) -> BackboneParams:
    """The parameters with another backbone and weights, checked as a whole."""
    return type(params)(**{**dict(params), "backbone": backbone, "weights": weights})


def _interpolation(params: BackboneParams) -> Interpolation:
    if params.interpolation != "trained":
        return params.interpolation
    is_bilinear = params.backbone in _OWN_LAYERS or preparation(params.backbone).interpolation == "bilinear"
    return "bilinear" if is_bilinear else "bicubic"


def _backbone(params: BackboneParams, context: Context, *, before_relu: bool) -> Backbone:
    if params.backbone == FILTER_BANK:
        return FilterBank(params.layers, device=context.device)
    if params.backbone == ADAPTED:
        assert params.adaptation is not None  # see _weights_fit_the_backbone
        return Adapted(params.layers, budget=params.adaptation, context=context)
    return Pretrained(
        params.backbone,
        params.weights,
        params.layers,
        seed=context.seed,
        device=context.device,
        before_relu=before_relu,
    )
