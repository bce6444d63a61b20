"""Networks from torchvision and timm, and where their weights come from: ImageNet, a file, or a random start."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from urllib.request import Request, urlopen

import timm
import torch
import torchvision
from torch import nn

from pybench.hashing import file_sha256
from pybench.registry import unknown
from pybench.types import InputError

TIMM = "timm/"  # before the names of timm's networks
_SECONDS_TO_ANSWER = 5  # of the host that has the weights


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
        return {f"imagenet:{backbone}": state_sha256(network)}
    file = _weights_file(weights)
    return {file.name: file_sha256(file)}


@cache
def imagenet_within_reach(backbone: str) -> bool:
    """Whether a network's ImageNet weights are on this machine, or the host that has them answers within 5 seconds.

    With ``PYBENCH_OFFLINE=1`` no host is asked.

    Raises:
        InputError: no such backbone.
    """
    _check_name(backbone)
    if backbone.startswith(TIMM):
        return _timm_within_reach(backbone.removeprefix(TIMM))
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


def load_network(name: str, weights: str, seed: int) -> nn.Module:
    """A network with its weights; ``seed`` is that of random ones.

    Raises:
        InputError: no such backbone, or its weights cannot be had or loaded.
    """
    _check_name(name)
    if weights == "imagenet":
        return _imagenet(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _create(name, pretrained=False)
    if weights != "random":
        _load_file(network, name, weights)
    return network


def _check_name(backbone: str) -> None:
    """Raises ``InputError`` where there is no such network."""
    if backbone.startswith(TIMM):
        if not timm.is_model(backbone.removeprefix(TIMM)):
            raise InputError(unknown("timm model", backbone.removeprefix(TIMM), timm.list_models()))
        return
    known = [name for name in torchvision.models.list_models(module=torchvision.models) if "resne" in name]
    if backbone not in known:
        raise InputError(f"{unknown('backbone', backbone, known)} (other networks: {TIMM}NAME)")


def _create(backbone: str, *, pretrained: bool) -> nn.Module:
    network: nn.Module
    if backbone.startswith(TIMM):
        network = timm.create_model(backbone.removeprefix(TIMM), pretrained=pretrained, features_only=True)
    else:
        # The papers' numbers stand on torchvision's first weights, not on the later recipe.
        network = torchvision.models.get_model(backbone, weights="IMAGENET1K_V1" if pretrained else None)
    return network


def _imagenet(backbone: str) -> nn.Module:
    try:
        return _create(backbone, pretrained=True)
    except (OSError, RuntimeError) as error:
        where = "the Hugging Face cache" if backbone.startswith(TIMM) else f"{torch.hub.get_dir()}/checkpoints"
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
    except Exception as error:  # what a file that is no state dict raises has no common base class
        raise InputError(f"{file}: cannot be loaded as weights of backbone '{name}': {error}") from error


def state_sha256(network: nn.Module) -> str:
    """The sha256 of a network's weights, by name and value."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
