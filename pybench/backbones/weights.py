"""Where a network's weights come from: its published ones (``imagenet``), a file, or a random start."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from urllib.request import Request, urlopen

import timm
import torch
from torch import nn

from pybench.backbones.names import OPEN_CLIP, TIMM
from pybench.backbones.networks import check_name, create, open_clip_config, torchvision_weights
from pybench.backbones.packaged_weights import load_packaged, packaged_file
from pybench.hashing import file_sha256
from pybench.types import InputError

_SECONDS_TO_ANSWER = 5  # of the host that has the weights


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
        return {f"imagenet:{backbone}": state_sha256(network)}
    file = _weights_file(weights)
    return {file.name: file_sha256(file)}


@cache
def imagenet_within_reach(backbone: str) -> bool:
    """Whether a network's published weights are on this machine, or the host that has them answers within 5 seconds.

    With ``PYBENCH_OFFLINE=1`` no host is asked.

    Raises:
        InputError: no such backbone.
    """
    check_name(backbone)
    if packaged_file(backbone):
        return True
    if backbone.startswith(TIMM):
        config = timm.get_pretrained_cfg(backbone.removeprefix(TIMM))
        return _hub_within_reach(str(config.hf_hub_id) if config and config.hf_hub_id else "")
    if backbone.startswith(OPEN_CLIP):
        return _hub_within_reach(str(open_clip_config(backbone).get("hf_hub", "")).rstrip("/"))
    url = str(torchvision_weights(backbone).url)
    return imagenet_file(url).is_file() or _answers(url)


def imagenet_file(url: str) -> Path:
    """Where torchvision keeps what it downloads from a URL."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _hub_within_reach(repository: str) -> bool:
    """Whether a repository of the Hugging Face hub is in the cache or answers."""
    from huggingface_hub import constants, try_to_load_from_cache

    if not repository:
        return False
    files = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")
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
    check_name(name)
    if weights == "imagenet":
        return _imagenet(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create(name, pretrained=False)
    if weights != "random":
        _load_file(network, name, weights)
    return network


def _imagenet(backbone: str) -> nn.Module:
    file = packaged_file(backbone)
    if file is not None:
        network = create(backbone, pretrained=False)
        load_packaged(network, backbone, file)
        return network
    try:
        return create(backbone, pretrained=True)
    except (OSError, RuntimeError) as error:
        of_hub = backbone.startswith((TIMM, OPEN_CLIP))
        where = "the Hugging Face cache" if of_hub else f"{torch.hub.get_dir()}/checkpoints"
        raise InputError(
            f"weights: imagenet of backbone '{backbone}' are not in {where} and cannot be downloaded ({error}). "
            "Copy them there from a machine with internet, give a file (`--set params.weights=FILE`), "
            "or take features that need no download (`--set params.weights=auto`)."
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
