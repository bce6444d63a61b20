"""NDP-Net: normal-reference attention and defective-feature perception."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Adam

from pybench.backbones.weights import state_sha256
from pybench.images.geometry import Geometry
from pybench.images.score_maps import mean_filter, median_filter
from pybench.ops.layout import in_channels_last
from pybench.stages import stage
from pybench.training.batches import Batch, stack
from pybench.training.budget import Budget, TrainingParams
from pybench.training.loop import Training, train
from pybench.training.losses import ssim_map
from pybench.training.textures import Textures, textures_fingerprint
from pybench.types import Citation, Context, Images, Method, MethodParams, Prediction

from .networks.ndp_net import NdpNetwork, Objective
from .networks.ndp_net_autoencoder import feature_gap
from .networks.ndp_net_perceptual import PerceptualLoss
from .networks.ndp_net_segmentation import combine, pixel_gap

_FILTER = 5  # side of the mean and the median filter, in pixels
_SIZE_STEP = 64  # the fifth layer's stride of 16 times the largest patch of 4


Phase = Literal["first_phase", "second_phase"]


class NdpNetParams(TrainingParams):
    width: int = Field(
        64,
        ge=1,
        le=256,
        description="channels of the first layer (2, 4, 8 and 8 times as many in the others), "
        "and those from which attention maps are made, 64 in the paper",
    )
    attention: bool = Field(True, description="repair features by the reference image; false is Table VI, column B")
    defect_perception: bool = Field(
        True, description="train the encoder to tell damage pixel by pixel (Eq. 2); false is Table VI, column C"
    )
    segmentation: Literal["msdsm", "pixel_gap", "feature_residual", "ssim"] = Field(
        "msdsm", description="what compares an image with its reconstruction: Table VI, columns A, D, E and F"
    )
    perceptual: Literal["imagenet", "none"] = Field(
        "imagenet", description="weights of the VGG-16 in the perceptual loss (Eq. 13 and 16); none leaves the loss out"
    )
    textures: str | None = Field(
        None, description="folder of images that are pasted as damage, ImageNet in the paper; none draws textures"
    )
    first_phase: Budget = Field(
        Budget(epochs=400), description="budget for training encoder and decoder", json_schema_extra={"fidelity": True}
    )
    second_phase: Budget = Field(
        Budget(epochs=200),
        description="budget for training attention, decoder and segmentation, the encoder being fixed",
        json_schema_extra={"fidelity": True},
    )
    learning_rate: float = Field(
        1e-4,
        gt=0,
        le=1,
        description="of Adam, in both phases",
        json_schema_extra={"search": {"low": 1e-05, "high": 0.003, "log": True}},
    )
    weight_decay: float = Field(
        1e-5,
        ge=0,
        le=1,
        description="of Adam, in both phases",
        json_schema_extra={"search": {"low": 1e-06, "high": 0.001, "log": True}},
    )

    @model_validator(mode="after")
    def _divisible_by_strides_and_patches(self) -> NdpNetParams:
        if self.input_size % _SIZE_STEP:
            raise ValueError(
                f"the input's side must be a multiple of {_SIZE_STEP}, so that patches fill all layers; "
                f"got {self.input_size}"
            )
        return self


class NdpNet(Method):
    """NDP-Net: an auto-encoder whose features are repaired by those of one normal image, and a segmentation of the
    difference between an image and its reconstruction. It is trained in two phases, on normal images and on images with
    synthetic anomalies.

    The reference is one of the normal images, drawn by the seed.
    """

    name = "ndp_net"
    Params = NdpNetParams
    paper = Citation(
        "Normal Reference Attention and Defective Feature Perception Network for Surface Defect Detection",
        "Luo, Yao and Yu",
        2022,
    )
    trains = True

    params: NdpNetParams

    def __init__(self, params: NdpNetParams, context: Context) -> None:
        super().__init__(params, context)
        self.geometry = Geometry.of(params)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            network = NdpNetwork(params.width, attention=params.attention, segmentation=params.segmentation == "msdsm")
        self.network = in_channels_last(network.to(context.device).eval())
        self.reference = torch.empty(0)  # uint8 [3, S, S]
        self.trainings: list[Training] = []

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Fetch VGG-16's weights and read the folder of textures, where they are used; see ``Method.prepare``."""
        assert isinstance(params, NdpNetParams)
        weights = {} if params.perceptual == "none" else {"imagenet:vgg16": state_sha256(PerceptualLoss().vgg)}
        return weights | ({} if params.textures is None else {"textures": textures_fingerprint(Path(params.textures))})

    def fit(self, train: Images) -> None:
        normal = stack(train, self.geometry)
        objective = self._objective()
        first = self._train("first_phase", self.network.parts("encoder", "decoder"), objective.first_phase, normal)
        self.network.encoder.requires_grad_(False)
        self._refer_to(normal[np.random.default_rng(self.context.seed).integers(len(normal))])
        rest = self.network.parts("attention", "decoder", "segmentation")
        second = self._train("second_phase", rest, objective.second_phase, normal)
        self.trainings = [first, second]

    @stage("match")
    @torch.inference_mode()
    def predict(self, images: Tensor) -> Prediction:
        with stage("preprocess"):
            images = self.geometry.to_input(images.to(self.context.device))
        with stage("backbone"):
            features = self.network.features(images)
        reconstructions = self.network.decoder(self.network.repair(features))
        maps = self._compare(images, features, reconstructions)
        maps = median_filter(mean_filter(maps, _FILTER), _FILTER).cpu()
        return Prediction(maps.amax((1, 2)), maps, {"reconstruction": reconstructions.cpu()})

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "reference": self.reference}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._refer_to(state["reference"])

    def provenance(self) -> dict[str, Any]:
        return {
            "perceptual": "VGG-16, ImageNet" if self.params.perceptual == "imagenet" else "left out",
            "textures": self.params.textures or "procedural",
            "training": {training.phase: training.provenance() for training in self.trainings},
        }

    def _objective(self) -> Objective:
        folder = None if self.params.textures is None else Path(self.params.textures)
        perceptual = None if self.params.perceptual == "none" else PerceptualLoss().to(self.context.device)
        textures = Textures(folder, self.geometry.input_size)
        return Objective(self.network, textures, perceptual, self.params.defect_perception)

    def _train(
        self, phase: Phase, network: nn.Module, loss: Callable[[Batch], dict[str, Tensor]], normal: Tensor
    ) -> Training:
        rate, decay = self.params.learning_rate, self.params.weight_decay
        optimizer = Adam(network.parameters(), rate, weight_decay=decay, fused=True)
        budget: Budget = getattr(self.params, phase)
        return train(
            phase, network, loss, normal, optimizer=optimizer, budget=budget, params=self.params, context=self.context
        )

    def _refer_to(self, reference: Tensor) -> None:
        self.reference = reference
        self.network.refer_to(reference.to(self.context.device).float() / 255)

    def _compare(self, images: Tensor, features: list[Tensor], reconstructions: Tensor) -> Tensor:
        """Anomaly maps [B, S, S] of images and their reconstructions (Table VI, columns A, D, E and F)."""
        if self.params.segmentation == "pixel_gap":
            return pixel_gap(images, reconstructions)
        if self.params.segmentation == "ssim":
            gaps: Tensor = 1 - ssim_map(images, reconstructions).squeeze(1)
            return gaps
        reconstructed = self.network.shallow(reconstructions)
        if self.network.segmentation is not None:
            scales = [logits.sigmoid() for logits in self.network.segmentation(features, reconstructed)]
        else:
            scales = [feature_gap(*pair) for pair in zip(features, reconstructed, strict=False)]
        return combine(scales, self.geometry.input_size)
