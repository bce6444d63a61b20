"""A backbone that is trained on the category's own normal images, on top of the filter bank.

The training takes long and does not depend on the method. Its result is therefore stored in the cache and shared by all
methods, layers and trials that need the same. ``pybench.backbones.adaptation`` says what is learned.
"""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pybench.backbones.adaptation import adapt
from pybench.backbones.adapted_network import LAYERS, AdaptedNetwork
from pybench.backbones.base import Backbone
from pybench.backbones.filter_bank import CHANNELS, FilterBank
from pybench.disk.compute_once import Computed, compute_once
from pybench.disk.paths import cache_folder
from pybench.disk.source_hash import hash_with_imports
from pybench.hashing import json_hash
from pybench.images.geometry import Geometry
from pybench.training.batches import stack
from pybench.training.budget import Budget
from pybench.types import Context, Images

# Synthetic anomalies are not the real ones: features lean on the bank, which knows neither (docs/results/backbones.md).
_LEARNED_WEIGHT = 0.3

# About the length of a place's other channels, which are differences to what is usual: methods that compare directions
# (HETMM's cosine) see these differences only beside something that all places have in common.
_LEVEL = 8.0


class Adapted(Backbone):
    """Trained by ``fit``, or taken from the cache where it was trained before.

    Args:
        layers: of 1 to 3.
        budget: of the training.
        context: its device and seed, and where its progress is reported.
    """

    def __init__(self, layers: tuple[int, ...], *, budget: Budget, context: Context) -> None:
        self.layers, self.budget, self.context = layers, budget, context
        self._bank = FilterBank(LAYERS, device=context.device)
        self._network = AdaptedNetwork(CHANNELS).to(context.device).eval()
        self._made: dict[str, Any] = {}

    def fit(self, train: Images, geometry: Geometry) -> None:
        """Train on the images, or read the result of the same training; waits while another trial trains.

        Raises:
            InputError: the cache cannot be written.
            TrainingError: the training diverged.
        """
        started = time.monotonic()
        self._bank.fit(train, geometry)
        images = stack(train, geometry)
        key = self._key(images)
        computed = compute_once(cache_folder() / "adapted", key, partial(self._train, images), self.context.report)
        content = torch.load(io.BytesIO(computed.content), map_location=self.context.device, weights_only=True)
        self._network.load_state_dict(content["network"])
        self._made = {**content["made"], **_origin(computed, key)}
        self.context.spend("adaptation", time.monotonic() - started)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Tensor]:
        features = self._network(self._bank(images))
        return [_balanced(features[layer - 1]) for layer in self.layers]

    def state_dict(self) -> dict[str, Any]:
        return {"bank": self._bank.state_dict(), "network": self._network.state_dict(), "made": self._made}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._bank.load_state_dict(state["bank"])
        self._network.load_state_dict(state["network"])
        self._made = dict(state["made"])

    def provenance(self) -> dict[str, Any]:
        return {"adaptation": self._made}

    def _key(self, images: Tensor) -> str:
        """Everything that the training depends on: the images at the network's size, the budget, the code."""
        pixels = hashlib.sha256(images.numpy().tobytes()).hexdigest()
        code = hash_with_imports(Path(__file__))
        budget = self.budget.model_dump(exclude_none=True)
        return json_hash([pixels, list(images.shape), budget, self.context.device, self.context.seed, code])

    def _train(self, images: Tensor, underway: Path) -> bytes:
        torch.manual_seed(self.context.seed)
        network = AdaptedNetwork(CHANNELS).to(self.context.device)
        context = replace(self.context, checkpoints=underway)
        training, rate = adapt(network, self._bank, images, budget=self.budget, context=context)
        made = {"threads": torch.get_num_threads(), "learning_rate": rate, **training.provenance()}
        buffer = io.BytesIO()
        torch.save({"network": network.state_dict(), "made": made}, buffer)
        return buffer.getvalue()


def _balanced(layer: Tensor) -> Tensor:
    """The bank's channels, the learned ones with their weight, and one that is the same everywhere."""
    level = torch.full_like(layer[:, :1], _LEVEL)
    return torch.cat([layer[:, :CHANNELS], _LEARNED_WEIGHT * layer[:, CHANNELS:], level], 1)


def _origin(computed: Computed, key: str) -> dict[str, Any]:
    """For the record: which cache entry it is, and how it came to this trial."""
    return {
        "entry": key,
        "sha256": hashlib.sha256(computed.content).hexdigest(),
        "trained_by_this_trial": computed.is_new,
        **({"took_the_place_of_damaged": computed.damaged} if computed.damaged else {}),
    }
