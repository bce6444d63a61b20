"""Networks from torchvision and timm as backbones.

``weights`` is ``imagenet``, ``random`` or a file. Weights that cannot be had are an error; others never replace them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor

from pybench.backbones.base import Backbone
from pybench.backbones.weights import TIMM, load_network, state_sha256
from pybench.disk.source_hash import hash_with_imports
from pybench.images.geometry import Geometry
from pybench.types import Images, InputError

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, by which all networks here normalise
_STD = (0.229, 0.224, 0.225)


class Pretrained(Backbone):
    """A frozen network with taps.

    Args:
        name: a torchvision ResNet, or ``timm/NAME``.
        weights: ``imagenet``, ``random`` or a file with a state dict.
        layers: whose outputs are taken.
        seed: of randomly initialised weights.
        device: ``cpu`` or ``cuda``.
        before_relu: take a layer's output before its last ReLU; timm's networks give it after that always.

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
        layout: dict[str, Any] = {"memory_format": torch.channels_last}  # older torch types no such argument
        network = network.eval().requires_grad_(False).to(device).to(**layout)
        self._forward = (
            _timm_taps(network, name, layers)
            if name.startswith(TIMM)
            else _resnet_taps(network, name, layers, before_relu)
        )
        self._mean = torch.tensor(_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(_STD, device=device).view(1, 3, 1, 1)

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


def _timm_taps(network: Any, name: str, layers: tuple[int, ...]) -> Callable[[Tensor], list[Tensor]]:
    strides = network.feature_info.reduction()
    missing = [layer for layer in layers if 2 ** (layer + 1) not in strides]
    if missing:
        raise InputError(
            f"backbone '{name}' has feature maps at strides {strides}, "
            f"none at stride {2 ** (missing[0] + 1)} (layer {missing[0]})"
        )
    taps = [strides.index(2 ** (layer + 1)) for layer in layers]

    def forward(images: Tensor) -> list[Tensor]:
        outputs = network(images)
        return [outputs[tap] for tap in taps]

    return forward


def _resnet_taps(
    network: Any, name: str, layers: tuple[int, ...], before_relu: bool
) -> Callable[[Tensor], list[Tensor]]:
    out_of_range = [layer for layer in layers if not 1 <= layer <= 4]
    if out_of_range:
        raise InputError(f"layers: {out_of_range[0]} is not a layer of '{name}'; it has 1, 2, 3 and 4")
    stages = [network.layer1, network.layer2, network.layer3, network.layer4][: max(layers)]
    kept: dict[int, Tensor] = {}
    if before_relu:
        for number, stage in enumerate(stages, start=1):
            # The block's ReLU module serves all its convolutions; its last call has the block's sum as input.
            stage[-1].relu.inplace = False
            stage[-1].relu.register_forward_pre_hook(
                lambda _, inputs, number=number: kept.__setitem__(number, inputs[0])
            )

    def forward(images: Tensor) -> list[Tensor]:
        hidden = network.maxpool(network.relu(network.bn1(network.conv1(images))))
        outputs = {}
        for number, stage in enumerate(stages, start=1):
            hidden = stage(hidden)
            outputs[number] = kept.pop(number) if before_relu else hidden
        return [outputs[layer] for layer in layers]

    return forward
