"""PatchCore: nearest neighbours in a coreset of locally pooled patch features."""

from __future__ import annotations

from typing import Any

import faiss
import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from pybench.backbones.method import BackboneMethod, BackboneParams, BlurSigma, CropSize, FitBatchSize
from pybench.images.score_maps import smooth, upsample
from pybench.ops.k_center import k_center
from pybench.stages import stage
from pybench.types import Citation, Context, Images, Prediction


class PatchCoreParams(BackboneParams):
    crop_size: CropSize = 224
    coreset_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of all training patches that the memory bank keeps",
        json_schema_extra={"search": {"low": 0.01, "high": 0.5, "log": True}, "fidelity": True},
    )
    projection: int = Field(
        128, ge=0, le=4096, description="dimensions of the random projection in which the coreset is chosen; 0: none"
    )
    patch_size: int = Field(
        3,
        ge=1,
        le=15,
        description="side of the neighbourhood that is averaged into a patch feature; odd",
        json_schema_extra={"search": [1, 3, 5, 7]},
    )
    neighbours: int = Field(
        9,
        ge=1,
        le=100,
        description="neighbours b that re-weight the image score; 1 leaves it as it is",
        json_schema_extra={"search": {"low": 1, "high": 20}},
    )
    sigma: BlurSigma = 4.0
    batch_size: FitBatchSize = 8

    @model_validator(mode="after")
    def _patches_have_a_centre(self) -> PatchCoreParams:
        if self.patch_size % 2 == 0:
            raise ValueError(f"patch_size must be odd, got {self.patch_size}")
        return self


class PatchCore(BackboneMethod):
    """Roth et al. 2022: patch features (Sec. 3.1), coreset by greedy k-centre (Alg. 1), scores (Eq. 6 and 7).

    Patch features are averages of each layer over squares of ``patch_size``; deeper layers are brought to the first
    one's grid bilinearly.
    """

    name = "patchcore"
    Params = PatchCoreParams
    paper = Citation("Towards Total Recall in Industrial Anomaly Detection", "Roth et al.", 2022, "arXiv:2106.08265")

    params: PatchCoreParams

    def __init__(self, params: PatchCoreParams, context: Context) -> None:
        super().__init__(params, context)
        self.bank: Tensor | None = None
        self._index: faiss.Index | None = None

    def fit(self, train: Images) -> None:
        super().fit(train)
        batches = train.batches(self.params.batch_size)
        points = torch.cat([self._patches(batch).flatten(0, 2).cpu() for batch in batches])
        self._set_bank(points[self._coreset(points)])

    @stage("match")
    def predict(self, images: Tensor) -> Prediction:
        assert self._index is not None, "fit first"
        patches = self._patches(images)
        batch, height, width, channels = patches.shape
        flat = patches.reshape(-1, channels).cpu()
        squared, nearest = map(torch.from_numpy, self._index.search(flat.numpy(), 1))
        distances = squared[:, 0].clamp(min=0).sqrt().view(batch, height * width)
        worst, position = distances.max(1)
        rows = torch.arange(batch) * height * width + position
        scores = worst * self._reweighting(flat[rows], nearest[rows, 0], worst)
        maps = upsample(distances.view(batch, height, width), self.geometry.input_size)
        return Prediction(scores, smooth(maps, self.params.sigma))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "bank": self.bank}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._set_bank(state["bank"])

    def _set_bank(self, bank: Tensor) -> None:
        self.bank = bank
        faiss.omp_set_num_threads(torch.get_num_threads())
        self._index = faiss.IndexFlatL2(bank.shape[1])
        if self.context.device == "cuda" and hasattr(faiss, "StandardGpuResources"):
            self._index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._index)
        self._index.add(bank.numpy())

    def _patches(self, images: Tensor) -> Tensor:
        """Patch features [B, h, w, C] on the grid of the first layer."""
        pad = self.params.patch_size // 2
        pooled = [avg_pool2d(layer, self.params.patch_size, stride=1, padding=pad) for layer in self.features(images)]
        grid = pooled[0].shape[-2:]
        aligned = [
            layer if layer.shape[-2:] == grid else interpolate(layer, size=grid, mode="bilinear", align_corners=False)
            for layer in pooled
        ]
        return torch.cat(aligned, 1).permute(0, 2, 3, 1).contiguous()

    def _coreset(self, points: Tensor) -> Tensor:
        size = max(1, round(self.params.coreset_share * len(points)))
        if size == len(points):
            return torch.arange(size)
        if 0 < self.params.projection < points.shape[1]:
            generator = torch.Generator().manual_seed(self.context.seed)
            directions = torch.randn(points.shape[1], self.params.projection, generator=generator)
            points = points @ directions / self.params.projection**0.5
        return k_center(points, size, seed=self.context.seed, backend=self.context.backend)

    def _reweighting(self, patches: Tensor, nearest: Tensor, distances: Tensor) -> Tensor:
        """Eq. 7: one minus the softmax weight of the nearest point [B] among its own neighbours in the bank.

        ``patches`` [B, C] are the worst ones of each image, ``distances`` [B] theirs to the nearest point.
        """
        assert self.bank is not None
        assert self._index is not None
        count = min(self.params.neighbours, len(self.bank))
        if count == 1:
            return torch.ones(len(patches))
        neighbours = torch.from_numpy(self._index.search(self.bank[nearest].numpy(), count)[1])
        to_neighbours = torch.linalg.vector_norm(patches[:, None] - self.bank[neighbours], dim=2)
        # Where an equal point of the bank stands in for the nearest one, rounding must not make the weight exceed 1.
        weights: Tensor = 1 - torch.exp(distances - torch.maximum(torch.logsumexp(to_neighbours, 1), distances))
        return weights
