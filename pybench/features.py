"""Backbones: networks that turn images into feature maps, from torchvision and timm.

``weights`` is ``imagenet``, ``random`` or a file; what cannot be had is an error, never replaced by another.
Layers are numbered as in a ResNet: layer n has stride 2^(n+1), so layers 1 to 4 have strides 4, 8, 16 and 32.
"""

from __future__ import annotations

import hashlib
from abc import ABC
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import timm
import torch
import torchvision
from pydantic import Field
from torch import Tensor, nn

from pybench.geometry import Geometry
from pybench.registry import unknown
from pybench.types import Context, InputError, Method, MethodParams

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, by which all backbones here normalise
_STD = (0.229, 0.224, 0.225)
_TIMM = "timm/"


class BackboneParams(MethodParams):
    """Parameters of every method that stands on a backbone."""

    backbone: str = Field(
        "wide_resnet50_2", description="a torchvision ResNet, or timm/NAME for any timm model with feature maps"
    )
    weights: str = Field("imagenet", description="imagenet, random, or a file with a state dict")
    layers: tuple[int, ...] = Field(
        (2, 3), min_length=1, max_length=4, description="layers whose outputs are used; layer n has stride 2^(n+1)"
    )


class Backbone:
    """A frozen network with taps.

    Args:
        params: names the network, its weights and its layers.
        seed: of randomly initialised weights.
        device: ``cpu`` or ``cuda``.
        before_relu: take a layer's output before its last ReLU (torchvision ResNets only).
    """

    def __init__(self, params: BackboneParams, *, seed: int, device: str, before_relu: bool = False) -> None:
        self.name, self.layers = params.backbone, params.layers
        self.device = device
        network = _build(params, seed)
        self.weights_sha256 = state_digest(network)
        network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self._forward = (
            _timm_taps(network, params)
            if params.backbone.startswith(_TIMM)
            else _resnet_taps(network, params, before_relu)
        )
        self._mean = torch.tensor(_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(_STD, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Tensor]:
        """Feature maps [B, C_l, H_l, W_l], one per layer, of images [B, 3, S, S], RGB in [0, 1]."""
        normalised = (images.to(self.device) - self._mean) / self._std
        return self._forward(normalised.contiguous(memory_format=torch.channels_last))


class BackboneMethod(Method, ABC):
    """Base of the methods that stand on a backbone: geometry, feature maps and what the record says of them."""

    params: BackboneParams

    def __init__(self, params: BackboneParams, context: Context, *, before_relu: bool = False) -> None:
        super().__init__(params, context)
        self.geometry = Geometry.of(params)
        self.backbone = Backbone(params, seed=context.seed, device=context.device, before_relu=before_relu)

    @classmethod
    def prepare(cls, params: MethodParams) -> dict[str, str]:
        """Fetch the weights; says which file they are."""
        assert isinstance(params, BackboneParams)
        return fetch_weights(params.backbone, params.weights)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images [B, 3, H, W] as decoded."""
        return self.backbone(self.geometry.to_input(images.to(self.context.device)))

    def provenance(self) -> dict[str, Any]:
        return {
            "backbone": self.params.backbone,
            "weights": self.params.weights,
            "weights_sha256": self.backbone.weights_sha256,
            "layers": list(self.params.layers),
        }


def fetch_weights(backbone: str, weights: str) -> dict[str, str]:
    """Make sure that weights are on this machine; returns {file name: sha256}, empty for random ones.

    Raises:
        InputError: no such backbone, no such file, or ImageNet weights that are neither here nor can be downloaded.
    """
    _check_name(backbone)
    if weights == "random":
        return {}
    if weights == "imagenet":
        network = _imagenet(backbone)
        return {f"imagenet:{backbone}": state_digest(network)}
    file = _weights_file(weights)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}


def _build(params: BackboneParams, seed: int) -> nn.Module:
    _check_name(params.backbone)
    if params.weights == "imagenet":
        return _imagenet(params.backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _create(params.backbone, pretrained=False)
    if params.weights != "random":
        _load_file(network, params)
    return network


def _check_name(backbone: str) -> None:
    if backbone.startswith(_TIMM):
        if not timm.is_model(backbone.removeprefix(_TIMM)):
            raise InputError(unknown("timm model", backbone.removeprefix(_TIMM), timm.list_models()))
        return
    known = [name for name in torchvision.models.list_models(module=torchvision.models) if "resne" in name]
    if backbone not in known:
        raise InputError(f"{unknown('backbone', backbone, known)} (other networks: {_TIMM}NAME)")


def _create(backbone: str, *, pretrained: bool) -> nn.Module:
    network: nn.Module
    if backbone.startswith(_TIMM):
        network = timm.create_model(backbone.removeprefix(_TIMM), pretrained=pretrained, features_only=True)
    else:
        # The papers' numbers stand on torchvision's first weights, not on the later recipe.
        network = torchvision.models.get_model(backbone, weights="IMAGENET1K_V1" if pretrained else None)
    return network


def _imagenet(backbone: str) -> nn.Module:
    try:
        return _create(backbone, pretrained=True)
    except (URLError, OSError, RuntimeError) as error:
        where = "the Hugging Face cache" if backbone.startswith(_TIMM) else f"{torch.hub.get_dir()}/checkpoints"
        raise InputError(
            f"weights: imagenet of backbone '{backbone}' are not in {where} and cannot be downloaded ({error}). "
            "Copy them there from a machine with internet, give a file (`--set params.weights=FILE`), "
            "or say that you want untrained features (`--set params.weights=random`)."
        ) from error


def _weights_file(weights: str) -> Path:
    file = Path(weights).expanduser()
    if not file.is_file():
        raise InputError(
            f"weights: '{weights}' is neither imagenet nor random, and there is no such file ({file.resolve()})"
        )
    return file


def _load_file(network: nn.Module, params: BackboneParams) -> None:
    file = _weights_file(params.weights)
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:
        raise InputError(f"{file}: cannot be loaded as weights of backbone '{params.backbone}': {error}") from error


def state_digest(network: nn.Module) -> str:
    """The sha256 of a network's weights, by name and value."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _timm_taps(network: Any, params: BackboneParams) -> Callable[[Tensor], list[Tensor]]:
    strides = network.feature_info.reduction()
    missing = [layer for layer in params.layers if 2 ** (layer + 1) not in strides]
    if missing:
        raise InputError(
            f"backbone '{params.backbone}' has feature maps at strides {strides}, "
            f"none at stride {2 ** (missing[0] + 1)} (layer {missing[0]})"
        )
    taps = [strides.index(2 ** (layer + 1)) for layer in params.layers]

    def forward(images: Tensor) -> list[Tensor]:
        outputs = network(images)
        return [outputs[tap] for tap in taps]

    return forward


def _resnet_taps(network: Any, params: BackboneParams, before_relu: bool) -> Callable[[Tensor], list[Tensor]]:
    out_of_range = [layer for layer in params.layers if not 1 <= layer <= 4]
    if out_of_range:
        raise InputError(f"layers: {out_of_range[0]} is not a layer of '{params.backbone}'; it has 1, 2, 3 and 4")
    stages = [network.layer1, network.layer2, network.layer3, network.layer4][: max(params.layers)]
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
        return [outputs[layer] for layer in params.layers]

    return forward
