"""Where feature maps are taken inside a network.

``layers`` of a pyramid are numbered by their strides: layer n has stride 2^(n+1), as in a ResNet. Those of a
transformer are its blocks, counted from 1: their tokens come as a grid [C, S/patch, S/patch], without class or
register tokens. The last block's tokens go through the network's final normalisation, as in its own output.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torchvision
from timm.models import FeatureListNet
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pybench.backbones.names import TIMM
from pybench.backbones.networks import check_name, create, is_transformer
from pybench.types import InputError

Forward = Callable[[Tensor], list[Tensor]]  # images [B, 3, S, S] -> maps [B, C_l, H_l, W_l], one per layer
_PROBE = 64  # side of the image whose maps show the strides


def feature_maps(network: Any, name: str, layers: tuple[int, ...], *, before_relu: bool) -> Forward:
    """The part of a network that computes the maps of ``layers``.

    Args:
        network: as ``networks.create`` makes it, in evaluation mode.
        name: the network's name.
        layers: which maps, in this order.
        before_relu: take the maps of torchvision's ResNets before a layer's last ReLU; others have none there, or end
            in it always.

    Raises:
        InputError: the network has no such layer.
    """
    if is_transformer(name):
        return _transformer_blocks(network, name, layers)
    if not name.startswith(TIMM):
        is_resnet = isinstance(network, torchvision.models.ResNet)
        return _stage_ends(_stages(network), name, layers, before_relu=before_relu and is_resnet)
    taps = _positions(network.feature_info.reduction(), name, layers)
    _drop_after(network, network.feature_info.module_name()[max(taps)])
    return lambda images: _chosen(network(images), taps)


@cache
def check_layers(name: str, layers: tuple[int, ...]) -> None:
    """Refuse layers that a network has not, where possible without memory for its weights.

    Raises:
        InputError: there is no such network, or it has no such layer.
    """
    check_name(name)
    try:
        with torch.device("meta"):
            network = create(name, pretrained=False)
    except NotImplementedError:  # a RegNet computes with its first weights
        network = create(name, pretrained=False)
    feature_maps(network.eval(), name, layers, before_relu=False)


def _chosen(maps: list[Tensor], taps: list[int]) -> list[Tensor]:
    return [maps[tap] for tap in taps]


def _drop_after(network: Any, place: str) -> None:
    """Remove the stages after the one that gives the last map: timm computes all, whichever maps are asked for.

    Two kinds of networks go through their stages in order and end where there are no more: those whose modules are the
    stages, and those with a sequence of blocks. Others stay as they are.
    """
    if isinstance(network, FeatureListNet):
        stages, last = network, place.replace(".", "_")
    elif place.startswith("blocks.") and isinstance(getattr(network, "blocks", None), nn.Sequential):
        stages, last = network.blocks, place.removeprefix("blocks.")
    else:
        return
    names = [name for name, _ in stages.named_children()]
    for name in names[names.index(last) + 1 :] if last in names else []:
        delattr(stages, name)


def _positions(strides: list[int], name: str, layers: tuple[int, ...]) -> list[int]:
    """Where each layer's map stands in a list of maps of these strides: the last one of that stride."""
    missing = [layer for layer in layers if 2 ** (layer + 1) not in strides]
    if missing:
        raise InputError(
            f"layers: {missing[0]} is not a layer of '{name}': its feature maps have the strides "
            f"{sorted(set(strides))}, and layer {missing[0]} would have {2 ** (missing[0] + 1)}"
        )
    return [len(strides) - 1 - strides[::-1].index(2 ** (layer + 1)) for layer in layers]


def _stages(network: Any) -> list[nn.Module]:
    """The blocks of one of torchvision's networks in their order, without its head."""
    if isinstance(network, torchvision.models.ResNet):
        stem = nn.Sequential(network.conv1, network.bn1, network.relu)
        return [stem, network.maxpool, network.layer1, network.layer2, network.layer3, network.layer4]
    if isinstance(network, torchvision.models.RegNet):
        return [network.stem, *network.trunk_output]
    return list(network.layers if isinstance(network, torchvision.models.MNASNet) else network.features)


def _stage_ends(stages: list[nn.Module], name: str, layers: tuple[int, ...], *, before_relu: bool) -> Forward:
    """A layer is what the last block of its stride gives."""
    channels_last = name.startswith("swin")
    taps = _positions(_strides(stages, channels_last), name, layers)
    kept: dict[int, Tensor] = {}
    if before_relu:
        for tap in taps:
            # The block's ReLU module serves all its convolutions; its last call has the block's sum as input.
            last: Any = stages[tap][-1]  # type: ignore[index]  # a layer of a ResNet is a sequence of blocks
            last.relu.inplace = False
            last.relu.register_forward_pre_hook(lambda _, inputs, tap=tap: kept.__setitem__(tap, inputs[0]))

    def forward(images: Tensor) -> list[Tensor]:
        outputs: dict[int, Tensor] = {}
        for number, stage in enumerate(stages[: max(taps) + 1]):
            images = stage(images)
            if number in taps:
                outputs[number] = kept.pop(number) if before_relu else images
        return [outputs[tap].movedim(-1, 1) if channels_last else outputs[tap] for tap in taps]

    return forward


@torch.inference_mode()
def _strides(stages: list[nn.Module], channels_last: bool) -> list[int]:
    parameter = next(stages[0].parameters())
    hidden = torch.zeros(1, 3, _PROBE, _PROBE, device=parameter.device)
    found = []
    for stage in stages:
        hidden = stage(hidden)
        found.append(_PROBE // hidden.shape[1 if channels_last else 2])
    return found


def _transformer_blocks(network: Any, name: str, layers: tuple[int, ...]) -> Forward:
    """Tokens of blocks as maps. Images are resized to what the patches need: the nearest multiple of a patch's side, or
    the one size that a network takes."""
    is_timms = hasattr(network, "feature_info")
    blocks = len(network.feature_info) if is_timms else network.transformer.layers
    missing = [layer for layer in layers if not 1 <= layer <= blocks]
    if missing:
        raise InputError(f"layers: {missing[0]} is not a block of '{name}', which has the blocks 1 to {blocks}")
    final_norm = network.norm if is_timms else network.ln_post
    indices = sorted({layer - 1 for layer in layers})
    order = [indices.index(layer - 1) for layer in layers]

    def forward(images: Tensor) -> list[Tensor]:
        side = _patched_side(network, images.shape[-1])
        if images.shape[-1] != side:
            images = interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
        found = network.forward_intermediates(images, indices=indices, stop_early=True, intermediates_only=True)
        maps = list(found if is_timms else found["image_intermediates"])
        if blocks in layers:
            maps[-1] = final_norm(maps[-1].movedim(1, -1)).movedim(-1, 1)
        return [maps[place] for place in order]

    return forward


def _patched_side(network: Any, side: int) -> int:
    """The side that images must have."""
    if getattr(network, "dynamic_img_size", False):
        patch: int = network.patch_embed.patch_size[0]
        return max(1, round(side / patch)) * patch
    fixed: int | tuple[int, int] = (
        network.patch_embed.img_size if hasattr(network, "patch_embed") else network.image_size
    )
    return fixed if isinstance(fixed, int) else fixed[0]
