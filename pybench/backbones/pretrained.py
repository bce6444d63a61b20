"""Networks from torchvision and timm as backbones.

``weights`` is ``imagenet``, ``random`` or a file; what cannot be had is an error, never replaced by another.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import timm
import torch
import torchvision
from torch import Tensor, nn

from pybench.backbones.base import Backbone
from pybench.disk import source_hash
from pybench.hashing import file_sha256
from pybench.images.geometry import Geometry
from pybench.registry import unknown
from pybench.types import Images, InputError

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, by which all networks here normalise
_STD = (0.229, 0.224, 0.225)
_TIMM = "timm/"
_SECONDS_TO_ANSWER = 5  # of the host that has the weights


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
        network = _build(name, weights, seed)
        self.weights_sha256 = state_digest(network)
        network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self._forward = (
            _timm_taps(network, name, layers)
            if name.startswith(_TIMM)
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
            "code": source_hash.digest(source_hash.with_imports(Path(__file__))),
        }

    def fit(self, train: Images, geometry: Geometry) -> None:
        """Nothing: the weights are as they are."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing: weights come from where the parameters say."""

    def provenance(self) -> dict[str, Any]:
        return {"weights_sha256": self.weights_sha256}


def fetch_weights(backbone: str, weights: str) -> dict[str, str]:
    """Make sure that weights are on this machine; returns {file name: sha256}, empty for random ones.

    Raises:
        InputError: no such backbone, no such file, or ImageNet weights that are neither here nor can be downloaded.
    """
    check_name(backbone)
    if weights == "random":
        return {}
    if weights == "imagenet":
        network = _imagenet(backbone)
        return {f"imagenet:{backbone}": state_digest(network)}
    file = _weights_file(weights)
    return {file.name: file_sha256(file)}


@cache
def imagenet_within_reach(backbone: str) -> bool:
    """Whether a network's ImageNet weights are here, or where they are answers within seconds.

    ``PYBENCH_OFFLINE=1`` says that nothing can be downloaded, without asking.

    Raises:
        InputError: no such backbone.
    """
    check_name(backbone)
    if backbone.startswith(_TIMM):
        return _timm_within_reach(backbone.removeprefix(_TIMM))
    url = str(torchvision.models.get_model_weights(backbone)["IMAGENET1K_V1"].url)
    return imagenet_file(url).is_file() or _answers(url)


def imagenet_file(url: str) -> Path:
    """Where torchvision keeps what it downloads from a URL."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _timm_within_reach(name: str) -> bool:
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        return False
    repository = str(config.hf_hub_id)
    files = ("model.safetensors", "pytorch_model.bin")
    is_here = any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
    return is_here or _answers(f"{constants.ENDPOINT}/{repository}")


def _answers(url: str) -> bool:
    if os.environ.get("PYBENCH_OFFLINE", "") not in ("", "0"):
        return False
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_SECONDS_TO_ANSWER) as answer:
            return bool(answer.status < 400)
    except OSError:
        return False


def _build(name: str, weights: str, seed: int) -> nn.Module:
    check_name(name)
    if weights == "imagenet":
        return _imagenet(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _create(name, pretrained=False)
    if weights != "random":
        _load_file(network, name, weights)
    return network


def check_name(backbone: str) -> None:
    """Raises ``InputError`` where there is no such network."""
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
            "or take features that need none (`--set params.weights=auto`)."
        ) from error


def _weights_file(weights: str) -> Path:
    file = Path(weights).expanduser()
    if not file.is_file():
        raise InputError(
            f"weights: '{weights}' is neither imagenet nor random, and there is no such file ({file.resolve()})"
        )
    return file


def _load_file(network: nn.Module, name: str, weights: str) -> None:
    file = _weights_file(weights)
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:
        raise InputError(f"{file}: cannot be loaded as weights of backbone '{name}': {error}") from error


def state_digest(network: nn.Module) -> str:
    """The sha256 of a network's weights, by name and value."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


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
