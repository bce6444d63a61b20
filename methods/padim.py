"""PaDiM: one Gaussian of patch features at every position."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from pybench.backbones.method import BackboneMethod, BackboneParams, BlurSigma, CropSize, FitBatchSize, Layers
from pybench.images.score_maps import smooth, upsample
from pybench.stages import stage
from pybench.types import Citation, Context, Images, Prediction


class PadimParams(BackboneParams):
    layers: Layers = (1, 2, 3)
    crop_size: CropSize = 224
    dimensions: int = Field(
        550,
        ge=1,
        le=4096,
        description="channels drawn at random; as many as there are, if fewer",
        json_schema_extra={"search": {"low": 50, "high": 550, "log": True}},
    )
    regularisation: float = Field(
        0.01,
        gt=0,
        le=10,
        description="added to the diagonal of every covariance",
        json_schema_extra={"search": {"low": 0.0001, "high": 1, "log": True}},
    )
    sigma: BlurSigma = 4.0
    batch_size: FitBatchSize = 8


class Padim(BackboneMethod):
    """Defard et al. 2021: patch embeddings with randomly drawn channels (Sec. III-A), a Gaussian per position
    (Sec. III-B, Eq. 1), Mahalanobis distances as the map (Sec. III-C, Eq. 2) and its maximum as the image score."""

    name = "padim"
    Params = PadimParams
    paper = Citation(
        "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization",
        "Defard et al.",
        2021,
        "arXiv:2011.08785",
    )

    params: PadimParams

    def __init__(self, params: PadimParams, context: Context) -> None:
        super().__init__(params, context)
        self.channels: Tensor | None = None  # [d]
        self.mean: Tensor | None = None  # [P, d]
        self.whitening: Tensor | None = None  # [P, d, d]: inverse of the covariance's Cholesky factor

    def fit(self, train: Images) -> None:
        super().fit(train)
        embeddings = [self._embed(batch) for batch in train.batches(self.params.batch_size)]
        stacked = torch.cat(embeddings).transpose(0, 1)  # [P, N, d]
        if stacked.shape[1] < 2:
            raise ValueError("PaDiM needs at least two training images to estimate a covariance")
        self.mean = stacked.mean(1)
        centred = stacked - self.mean[:, None]
        covariance = centred.transpose(1, 2) @ centred / (stacked.shape[1] - 1)
        covariance.diagonal(dim1=1, dim2=2).add_(self.params.regularisation)
        factor = torch.linalg.cholesky(covariance)
        identity = torch.eye(factor.shape[-1], device=factor.device)
        self.whitening = torch.linalg.solve_triangular(factor, identity, upper=False)

    @stage("match")
    def predict(self, images: Tensor) -> Prediction:
        assert self.mean is not None, "fit first"
        assert self.whitening is not None
        deviation = self._embed(images).transpose(0, 1) - self.mean[:, None]  # [P, B, d]
        distances = torch.linalg.vector_norm(deviation @ self.whitening.transpose(1, 2), dim=2).T  # [B, P]
        side = int(distances.shape[1] ** 0.5)
        maps = smooth(upsample(distances.view(-1, side, side), self.geometry.input_size), self.params.sigma)
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "channels": self.channels, "mean": self.mean, "whitening": self.whitening}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.channels, self.mean, self.whitening = (
            state[key].to(self.context.device) for key in ("channels", "mean", "whitening")
        )

    def _embed(self, images: Tensor) -> Tensor:
        """Drawn channels [B, P, d] of all layers, on the first one's grid (nearest neighbour, as in the paper)."""
        layers = self.features(images)
        grid = layers[0].shape[-2:]
        embedding = torch.cat([layers[0], *(interpolate(layer, size=grid, mode="nearest") for layer in layers[1:])], 1)
        if self.channels is None:
            count = embedding.shape[1]
            generator = torch.Generator().manual_seed(self.context.seed)
            drawn = torch.randperm(count, generator=generator)[: self.params.dimensions]
            self.channels = drawn.sort().values.to(embedding.device)
        return embedding[:, self.channels].flatten(2).transpose(1, 2)
