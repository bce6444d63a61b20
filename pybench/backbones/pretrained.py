"""Networks from torchvision, timm and open_clip as backbones.

``weights`` is ``imagenet``, ``random`` or a file. Weights that cannot be had are an error; others never replace them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor

from pybench.backbones.base import Backbone
from pybench.backbones.feature_maps import feature_maps
from pybench.backbones.networks import preparation
from pybench.backbones.weights import load_network, state_sha256
from pybench.disk.source_hash import hash_with_imports
from pybench.images.geometry import Geometry
from pybench.ops.layout import in_channels_last
from pybench.types import Images


class Pretrained(Backbone):
    """A frozen network; images are normalised as they were when its weights were trained.

    Args:
        name: of a network, as ``networks`` knows them.
        weights: ``imagenet``, ``random`` or a file with a state dict.
        layers: whose outputs are taken.
        seed: of randomly initialised weights.
        device: ``cpu`` or ``cuda``.
        before_relu: take a layer's output before its last ReLU; only torchvision's ResNets can.

    Raises:
        InputError: no such network, weights or layer.
    """

    def __init__(
        self, name: str, weights: str, layers: tuple[int, ...], *, seed: int, device: str, before_relu: bool = False
    ) -> None:
        self.name, self.weights, self.layers, self.device = name, weights, layers, device
        self.before_relu = before_relu
        network = load_network(name, weights, seed)
        self.weights_sha256 = state_sha256(network)
        network = in_channels_last(network.eval().requires_grad_(False).to(device))
        self._forward = feature_maps(network, name, layers, before_relu=before_relu)
        trained = preparation(name)
        self._mean = torch.tensor(trained.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(trained.std, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Tensor]:
        """See ``Backbone``; channels last in memory.

        On a CPU, images go through one by one, which takes no longer: in a batch, an image's maps would depend in their
        last bits on how many others there are.
        """
        normalised = (images.to(self.device) - self._mean) / self._std
        parts = normalised.split(1) if self.device == "cpu" else [normalised]
        outputs = [self._forward(part.contiguous(memory_format=torch.channels_last)) for part in parts]
        joined = outputs[0] if len(outputs) == 1 else [torch.cat(layer) for layer in zip(*outputs, strict=True)]
        return [layer.contiguous(memory_format=torch.channels_last) for layer in joined]

    def identity(self) -> dict[str, Any] | None:
        """See ``Backbone``. On a GPU, reading maps takes about as long as the network."""
        if self.device != "cpu":
            return None
        return {
            "name": self.name,
            "weights": self.weights_sha256,
            "before_relu": self.before_relu,
            "threads": torch.get_num_threads(),
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "libraries": [torch.__version__, torchvision.__version__, timm.__version__],
            "code": hash_with_imports(Path(__file__)),
        }

    def fit(self, train: Images, geometry: Geometry) -> None:
        """Nothing: the weights are as they are."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing: weights come from where the parameters say."""

    def provenance(self) -> dict[str, Any]:
        return {"weights_sha256": self.weights_sha256}
