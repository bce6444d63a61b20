"""Local one-class classification with image matching and defect generation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss

from pybench.backbones.method import BackboneMethod, BackboneName, BackboneParams, Layers
from pybench.images.score_maps import upsample
from pybench.ops.layout import in_channels_last
from pybench.stages import stage
from pybench.training.batches import Batch, stack
from pybench.training.budget import Budget, TrainingParams
from pybench.training.loop import Training, train
from pybench.training.synthesis import outlier_exposure
from pybench.training.textures import Textures, textures_fingerprint
from pybench.types import Citation, Context, Images, MethodParams, Prediction

from .networks.local_occ import (
    Fill,
    Mapping,
    Matching,
    centre_of,
    distance,
    mapping_loss,
    warp,
    warp_back,
)

_TURN, _SHIFT = 15.0, 0.1  # of the augmentation: degrees, and share of the side, each way; the paper gives no ranges


class LocalOccParams(BackboneParams, TrainingParams):
    image_size: int = Field(224, ge=32, le=4096, description="images are resized to this many pixels squared")
    backbone: BackboneName = "resnet18"
    layers: Layers = (1, 2, 3)
    batch_size: int = Field(32, ge=1, le=4096, description="images a step, of both modules")
    align: bool = Field(
        True,
        description="bring every image onto the template by the image matching module (IMM)",
        json_schema_extra={"search": True},
    )
    synthesize: bool = Field(
        True,
        description="train on artificial defects too (DGM, Eq. 5), not on Eq. 3 alone",
        json_schema_extra={"search": True},
    )
    augment: bool = Field(False, description="train on randomly turned and shifted images (AUG)")
    target: Literal["feature_map", "vector"] = Field(
        "feature_map",
        description="what features are mapped to: a centre at every position, or one for all (Table 1)",
        json_schema_extra={"search": True},
    )
    textures: str | None = Field(
        None, description="folder of foreign images for artificial defects, VOC in the paper; none draws textures"
    )
    fill: Fill = Field("border", description="what the alignment brings in from beyond the picture")
    matching_budget: Budget = Field(
        Budget(epochs=500), description="of the image matching module", json_schema_extra={"fidelity": True}
    )
    matching_rate: float = Field(2e-4, gt=0, le=1, description="learning rate of the image matching module")
    mapping_budget: Budget = Field(
        Budget(epochs=300), description="of the anomaly localization module", json_schema_extra={"fidelity": True}
    )
    mapping_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="learning rate of the anomaly localization module",
        json_schema_extra={"search": {"low": 0.0001, "high": 0.01, "log": True}},
    )


class LocalOcc(BackboneMethod):
    """Images are aligned with a template by a module that is trained first (Sec. 2.1, Eq. 2), then frozen.

    A mapping of pre-trained features is trained to bring each position of a normal image near its centre (Sec. 2.2,
    Eq. 3) and synthetic anomalies away from it (Sec. 2.3, Eq. 5). The map is the cosine distance to the centres
    (Eq. 4), moved back to where things are in the image. Its maximum is the image score; the paper does not define one.
    """

    name = "local_occ"
    Params = LocalOccParams
    paper = Citation(
        "Unsupervised Automatic Defect Inspection Based on Image Matching and Local One-Class Classification",
        "Lv et al.",
        2023,
        "CVPR Workshops, pp. 4435-4444",
    )
    trains = True

    params: LocalOccParams

    def __init__(self, params: LocalOccParams, context: Context) -> None:
        super().__init__(params, context)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self.matching = in_channels_last(Matching(params.input_size).to(context.device).eval())
            self.mapping = in_channels_last(Mapping(self._channels()).to(context.device).eval())
        self.centre: Tensor | None = None  # F_C
        self.trainings: list[Training] = []

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Fetch the weights and read the folder of textures, where one is used; see ``Method.prepare``."""
        assert isinstance(params, LocalOccParams)
        assets = super().prepare(params)
        if params.synthesize and params.textures is not None:
            assets["textures"] = textures_fingerprint(Path(params.textures))
        return assets

    def fit(self, train: Images) -> None:
        super().fit(train)
        normal = stack(train, self.geometry)
        self.trainings = [self._fit_matching(normal)] if self.params.align else []
        self.centre = self._centre(normal)
        self.trainings.append(self._fit_mapping(normal))

    @stage("match")
    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        """See ``Method.predict``. Images that were aligned come as artefacts: ``aligned`` [B, 3, S, S] and their
        ``transform`` [B, 3], Tx to the right and Ty down in pixels, theta counter-clockwise in degrees."""
        assert self.centre is not None, "fit first"
        with stage("preprocess"):
            inputs = self.geometry.to_input(images.to(self.context.device))
        aligned, transform = self._align(inputs)
        distances = distance(self.mapping(self._mixed(aligned)), self.centre)
        maps = upsample(distances, self.geometry.input_size)
        if transform is None:
            return Prediction(maps.amax((1, 2)), maps)
        with stage("postprocess"):
            maps = warp_back(maps, transform)
        return Prediction(maps.amax((1, 2)), maps, {"aligned": aligned, "transform": transform})

    def state_dict(self) -> dict[str, Any]:
        networks = {"matching": self.matching.state_dict(), "mapping": self.mapping.state_dict()}
        return {**super().state_dict(), **networks, "centre": self.centre}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.matching.load_state_dict(state["matching"])
        self.mapping.load_state_dict(state["mapping"])
        self.centre = state["centre"].to(self.context.device)

    def provenance(self) -> dict[str, Any]:
        return {**super().provenance(), "training": {run.phase: run.provenance() for run in self.trainings}}

    def _fit_matching(self, normal: Tensor) -> Training:
        """The template is one of the normal images [N, 3, S, S], drawn by the seed; the loss is Eq. 2."""
        drawn = np.random.default_rng(self.context.seed).integers(len(normal))
        self.matching.template.copy_(normal[drawn].float() / 255)

        def loss(batch: Batch) -> dict[str, Tensor]:
            images = self._augmented(batch)
            aligned = warp(images, self.matching(images), self.params.fill)
            return {"matching": mse_loss(aligned, self.matching.template.expand_as(aligned))}

        return self._train("matching", self.matching, loss, normal)

    def _fit_mapping(self, normal: Tensor) -> Training:
        """Eq. 3, or Eq. 5 on images with synthetic anomalies, which lie on what the frozen matching module aligned."""
        centre = self.centre
        assert centre is not None
        textures = self._textures() if self.params.synthesize else None

        def loss(batch: Batch) -> dict[str, Tensor]:
            with torch.no_grad():
                images, _ = self._align(self._augmented(batch))
            masks = None
            if textures is not None:
                images, masks = outlier_exposure(images, batch.random, textures)
            distances = distance(self.mapping(self._mixed(images)), centre)
            outliers = None if masks is None else _downscaled(masks, distances.shape[-2:])
            return {"mapping": mapping_loss(distances, outliers)}

        return self._train("mapping", self.mapping, loss, normal)

    def _textures(self) -> Textures:
        folder = None if self.params.textures is None else Path(self.params.textures)
        return Textures(folder, self.geometry.input_size)

    def _train(
        self,
        phase: Literal["matching", "mapping"],
        network: nn.Module,
        loss: Callable[[Batch], dict[str, Tensor]],
        normal: Tensor,
    ) -> Training:
        is_matching = phase == "matching"
        rate = self.params.matching_rate if is_matching else self.params.mapping_rate
        budget = self.params.matching_budget if is_matching else self.params.mapping_budget
        optimizer = torch.optim.Adam(network.parameters(), rate, fused=True)
        return train(
            phase, network, loss, normal, optimizer=optimizer, budget=budget, params=self.params, context=self.context
        )

    def _augmented(self, batch: Batch) -> Tensor:
        """The batch's images, randomly turned and shifted where that is asked for."""
        if not self.params.augment:
            return batch.images
        limits = np.array([_SHIFT * self.geometry.input_size] * 2 + [_TURN])
        drawn = batch.random.uniform(-limits, limits, (len(batch.images), 3))
        return warp(batch.images, torch.from_numpy(drawn).to(batch.images), self.params.fill)

    def _align(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images [B, 3, S, S] brought onto the template, and the transforms [B, 3]; as they are without the IMM."""
        if not self.params.align:
            return images, None
        transform = self.matching(images)
        return warp(images, transform, self.params.fill), transform

    def _mixed(self, images: Tensor) -> Tensor:
        """F_mixed [B, C, h, w] of images [B, 3, S, S]: all layers on the first one's grid, bilinearly."""
        with stage("backbone"):
            layers = self.backbone(images)
        grid = layers[0].shape[-2:]
        scaled = (interpolate(layer, size=grid, mode="bilinear", align_corners=False) for layer in layers[1:])
        return torch.cat([layers[0], *scaled], 1)

    def _channels(self) -> int:
        probe = torch.zeros(1, 3, self.geometry.input_size, self.geometry.input_size)
        return sum(layer.shape[1] for layer in self.backbone(probe))

    @torch.no_grad()
    def _centre(self, normal: Tensor) -> Tensor:
        """F_C of the normal images uint8 [N, 3, S, S]: [100, h, w], or [100, 1, 1] as the vector's target."""
        sums, moments = [], []
        for batch in normal.split(self.params.batch_size):
            features = self._mixed(self._align(batch.to(self.context.device).float() / 255)[0])
            rows = features.transpose(0, 1).flatten(1)
            sums.append(features.sum(0))
            moments.append(rows @ rows.T / features[:, 0].numel() * len(batch))
        mean, second_moment = (torch.stack(parts).sum(0) / len(normal) for parts in (sums, moments))
        centre = centre_of(mean, second_moment)
        return centre if self.params.target == "feature_map" else centre.mean((1, 2), keepdim=True)


def _downscaled(masks: Tensor, grid: torch.Size) -> Tensor:
    """M_s of Eq. 5: masks bool [B, S, S] at the grid's positions, by nearest neighbour."""
    downscaled: Tensor = interpolate(masks[:, None].float(), size=grid, mode="nearest-exact")[:, 0] > 0
    return downscaled
