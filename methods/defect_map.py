"""Defect map prediction from an image and its reconstruction, trained on realistic synthetic defects."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample
from torch.optim import Adam

from pybench.images.geometry import Geometry
from pybench.images.score_maps import mean_filter
from pybench.ops.layout import in_channels_last
from pybench.stages import stage
from pybench.training.batches import Batch, stack
from pybench.training.budget import Budget, TrainingParams
from pybench.training.foreground import Foreground
from pybench.training.loop import Training, train
from pybench.training.losses import focal_loss, ssim_map
from pybench.training.synthesis import foreground_blend, perlin_paste
from pybench.training.textures import Textures, textures_fingerprint
from pybench.types import Citation, Context, Images, Method, MethodParams, Prediction

from .networks.defect_map import (
    LARGE_KERNELS,
    SMALL_KERNELS,
    AutoEncoder,
    DeepFeatures,
    DefectPrediction,
    folded,
)

_COARSEST_STRIDE = 32
_ROTATED = 0.3  # of the images of a step, as in DRAEM


class DefectMapParams(TrainingParams):
    anomaly_source: Literal["same_dataset", "textures"] = Field(
        "same_dataset",
        description="other normal images, blended in on the foregrounds of both (Sec. 3.1), or foreign textures pasted "
        "anywhere, as DRAEM does (Table 4, DTD)",
        json_schema_extra={"search": True},
    )
    textures: str | None = Field(None, description="folder of foreign textures (DTD); none makes procedural ones")
    foreground: Foreground = Field(
        "edges",
        description="how the object is found: by its edges, thickened and filled, or by a grey threshold",
        json_schema_extra={"search": True},
    )
    rotation: float = Field(
        90.0, ge=0, le=180, description="largest angle, in degrees, by which images are rotated while training"
    )
    enhancement: float = Field(
        0.5,
        ge=0,
        le=1,
        description="largest change of an anomaly source's contrast (a factor of 1 - x to 1 + x) and of each of its "
        "channels (-x to x) before it is blended in",
        json_schema_extra={"search": True},
    )
    deep_features: Literal["copied", "trained", "none"] = Field(
        "copied",
        description="parameters of the deep feature extractor: copied from the encoder before each step, trained by "
        "themselves, or no extractor and no L_deep (Table 4)",
    )
    large_kernel: bool = Field(
        True, description="kernels of 31, 29, 27 and 13 pixels in the encoder's stages, else 3x3 ones (Table 4)"
    )
    reconstruction_width: int = Field(
        128, ge=4, le=512, description="channels of the auto-encoder at full resolution; up to 8 times as many below"
    )
    prediction_width: int = Field(
        128, ge=4, le=512, description="channels after the stem of the defect prediction network; doubled by each stage"
    )
    depths: tuple[int, int, int, int] = Field(
        (2, 2, 18, 2), description="blocks in the four stages; the default is that of RepLKNet-B"
    )
    ssim_weight: float = Field(1.0, ge=0, le=100, description="lambda_1: of the SSIM loss beside L2 (Eq. 5)")
    vision_weight: float = Field(0.8, ge=0, le=100, description="lambda_2: of the visual loss (Eq. 6)")
    deep_weight: float = Field(0.2, ge=0, le=100, description="lambda_3: of the deep-feature loss (Eq. 6)")
    focal_alpha: float = Field(0.25, ge=0, le=1, description="weight of defective pixels in the focal loss (Eq. 7)")
    focal_gamma: float = Field(2.0, ge=0, le=10, description="gamma of the focal loss (Eq. 7)")
    learning_rate: float = Field(
        1e-4,
        gt=0,
        le=1,
        description="of Adam; times 0.1 after 4/7 and again after 6/7 of the budget",
        json_schema_extra={"search": {"low": 1e-05, "high": 0.003, "log": True}},
    )
    budget: Budget = Field(
        Budget(epochs=700), description="how long training lasts", json_schema_extra={"fidelity": True}
    )
    filter_size: int = Field(
        21,
        ge=1,
        le=255,
        description="side s_f of the mean filter of the image score (Eq. 10)",
        json_schema_extra={"search": {"low": 3, "high": 41}},
    )

    @model_validator(mode="after")
    def _fits_the_networks(self) -> DefectMapParams:
        if self.input_size % _COARSEST_STRIDE:
            raise ValueError(f"the input's size must be a multiple of {_COARSEST_STRIDE}, got {self.input_size}")
        if self.filter_size % 2 == 0:
            raise ValueError(f"filter_size must be odd, got {self.filter_size}")
        if min(self.depths) < 1:
            raise ValueError(f"depths must be positive, got {list(self.depths)}")
        return self


class DefectMap(Method):
    """An auto-encoder takes synthetic defects out of an image (Sec. 3.2), and a network with large kernels
    tells from both where they were (Sec. 3.3); the image score is the maximum of the mean-filtered map (Eq. 10).

    What the paper leaves open: z of L_deep is the encoder's output for I_a. L2 is between I_r and I, where Eq. 3 prints
    I_a. Anomaly sources are training images, turned by any angle and changed in contrast and colour (the conclusion
    names affine transformations and image enhancement); as they are, an aligned object looks alike at the same place.
    Every image of a step gets a defect; normal ones are its surroundings, and those for which beta is near 0.
    Without large kernels the same encoder has 3x3 ones, so that nothing else differs. The authors kept the best model
    seen while training, which takes test labels; here the last one is kept.
    """

    name = "defect_map"
    Params = DefectMapParams
    trains = True
    paper = Citation(
        "Industrial Product Surface Anomaly Detection with Realistic Synthetic Anomalies Based on Defect Map "
        "Prediction",
        "Peng et al.",
        2024,
        "doi:10.3390/s24010264",
    )

    params: DefectMapParams

    def __init__(self, params: DefectMapParams, context: Context) -> None:
        super().__init__(params, context)
        self.geometry = Geometry.of(params)
        width, kernels = params.reconstruction_width, LARGE_KERNELS if params.large_kernel else SMALL_KERNELS
        self.deep_features: DeepFeatures | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            prediction = DefectPrediction(params.prediction_width, params.depths, kernels, context.backend)
            self.reconstruction = in_channels_last(AutoEncoder(width).to(context.device))
            self.prediction = in_channels_last(prediction.to(context.device))
            if params.deep_features != "none":
                is_copied = params.deep_features == "copied"
                self.deep_features = DeepFeatures(width, is_copied=is_copied).to(context.device)
        self._folded: DefectPrediction | None = None
        self._training: Training | None = None

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Read the folder of textures, where one is used; see ``Method.prepare``."""
        assert isinstance(params, DefectMapParams)
        if params.anomaly_source != "textures" or params.textures is None:
            return {}
        return {"textures": textures_fingerprint(Path(params.textures))}

    def fit(self, train: Images) -> None:
        self._training = self._train(stack(train, self.geometry))
        self._folded = folded(self.prediction)

    def _train(self, images: Tensor) -> Training:
        synthesis = Synthesis(self.params, images)
        trained = nn.ModuleList([self.reconstruction, self.prediction])
        if self.deep_features is not None and not self.deep_features.is_copied:
            trained.append(self.deep_features)
        return train(
            "joint",
            trained,
            lambda batch: self.loss(*synthesis(batch)),
            images,
            optimizer=Adam(trained.parameters(), self.params.learning_rate, fused=True),
            budget=self.params.budget,
            params=self.params,
            context=self.context,
            schedule=schedule,
        )

    def loss(self, images: Tensor, damaged: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Weighted terms of L_total (Eq. 3 to 9) for images I and I_a [B, 3, S, S] and masks M_2, bool [B, S, S]."""
        params = self.params
        reconstructed, features = self.reconstruction(damaged)
        logits = self.prediction(reconstructed, damaged)
        similarity = ssim_map(reconstructed, images)
        terms = {
            "ssim": params.vision_weight * params.ssim_weight * (1 - similarity).mean(),
            "l2": params.vision_weight * (reconstructed - images).square().sum(1).mean(),
            "focal": focal_loss(logits, masks[:, None], alpha=params.focal_alpha, gamma=params.focal_gamma),
        }
        if self.deep_features is not None:
            distance = self.deep_features(self.reconstruction.encoder, features, reconstructed)
            terms["deep"] = params.deep_weight * distance
        return terms

    @stage("match")
    @torch.inference_mode()
    def predict(self, images: Tensor) -> Prediction:
        assert self._folded is not None, "fit first"
        with stage("preprocess"):
            inputs = self.geometry.to_input(images.to(self.context.device))
        with stage("backbone"):
            reconstructed, _ = self.reconstruction(inputs)
        maps = self._folded(reconstructed, inputs).sigmoid().squeeze(1).cpu()
        scores = mean_filter(maps, self.params.filter_size).amax((1, 2))
        return Prediction(scores, maps, {"reconstruction": reconstructed.cpu()})

    def state_dict(self) -> dict[str, Any]:
        return {"reconstruction": self.reconstruction.state_dict(), "prediction": self.prediction.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.reconstruction.load_state_dict(state["reconstruction"])
        self.prediction.load_state_dict(state["prediction"])
        self.reconstruction.eval()
        self._folded = folded(self.prediction)

    def provenance(self) -> dict[str, Any]:
        return {} if self._training is None else {"training": self._training.provenance()}


class Synthesis:
    """Makes a step's defects (Sec. 3.1): images I, I_a [B, 3, S, S] and masks M_2 bool [B, S, S] from a batch.

    Args:
        params: say where defects come from.
        normal: all training images, uint8 [N, 3, S, S].
    """

    def __init__(self, params: DefectMapParams, normal: Tensor) -> None:
        self.params, self.normal = params, normal
        folder = None if params.textures is None else Path(params.textures)
        self.textures = Textures(folder, params.input_size) if params.anomaly_source == "textures" else None

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        random = batch.random
        count = len(batch.images)
        angles = random.uniform(-self.params.rotation, self.params.rotation, count) * (random.random(count) < _ROTATED)
        images = rotated(batch.images, angles)
        return images, *self._with_defects(images, random)

    def _with_defects(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.textures is not None:
            return perlin_paste(images, random, self.textures)
        chosen = self.normal[random.integers(len(self.normal), size=len(images))]
        sources = rotated(chosen.to(images.device).float() / 255, random.uniform(0, 360, len(images)))
        sources = enhanced(sources, self.params.enhancement, random)
        return foreground_blend(images, sources, random, foreground=self.params.foreground)


def rotated(images: Tensor, degrees: NDArray[np.float64]) -> Tensor:
    """Images [B, 3, S, S] turned about their centre by angles [B]; what lies outside is the mirrored inside."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turns = np.stack([np.stack([cosine, -sine, 0 * sine], 1), np.stack([sine, cosine, 0 * sine], 1)], 1)
    grid = affine_grid(torch.from_numpy(turns).to(images), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def enhanced(images: Tensor, strength: float, random: np.random.Generator) -> Tensor:
    """Images [B, 3, S, S] in [0, 1] with other contrast about their mean, times 1 - strength to 1 + strength, and each
    channel brighter or darker by up to ``strength``."""
    changes = random.uniform(-strength, strength, (len(images), 4, 1, 1))
    contrast, shifts = torch.from_numpy(changes).to(images).split([1, 3], 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    changed: Tensor = mean + (1 + contrast) * (images - mean) + shifts
    return changed.clamp_(0, 1)


def schedule(progress: float) -> float:
    """The factor on the learning rate: 0.1 from epoch 400 on and again from 600 on, of 700 (Sec. 4.1)."""
    return 0.1 ** ((progress >= 4 / 7) + (progress >= 6 / 7))
