"""Networks by name, of torchvision, timm and open_clip, and how their images were prepared when they were trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import timm
import torch
import torchvision
from torch import nn

from pybench.backbones.names import OPEN_CLIP, TIMM
from pybench.registry import unknown
from pybench.types import InputError

# Torchvision's families whose strides are powers of two. Transformers that take one image size only are left to timm.
_FAMILIES = (
    "convnext",
    "densenet",
    "efficientnet",
    "mnasnet",
    "mobilenet",
    "regnet",
    "resne",
    "wide_resnet",
    "swin",
    "vgg",
)


@dataclass(frozen=True)
class Preparation:
    """How a network's images were prepared in training: RGB in [0, 1], minus ``mean``, divided by ``std``, and resized
    by ``interpolation`` (bilinear, bicubic, ...)."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str


def torchvision_names() -> list[str]:
    """The networks of torchvision that have feature maps at strides that are powers of two."""
    names = torchvision.models.list_models(module=torchvision.models)
    return [name for name in names if name.startswith(_FAMILIES)]


def torchvision_weights(backbone: str) -> Any:
    """The published weights of a network of torchvision: the first ones, on which the papers' numbers stand."""
    return next(iter(torchvision.models.get_model_weights(backbone)))


def check_name(backbone: str) -> None:
    """Refuse a network that there is not.

    Raises:
        InputError: no such network, or open_clip is not installed.
    """
    if backbone.startswith(TIMM):
        if not timm.is_model(backbone.removeprefix(TIMM)):
            raise InputError(unknown("timm model", backbone.removeprefix(TIMM), timm.list_models()))
    elif backbone.startswith(OPEN_CLIP):
        _open_clip_model(backbone)
    elif backbone not in torchvision_names():
        others = f"other networks: {TIMM}NAME, {OPEN_CLIP}MODEL/WEIGHTS"
        raise InputError(f"{unknown('backbone', backbone, torchvision_names())} ({others})")


def create(backbone: str, *, pretrained: bool) -> nn.Module:
    """A network with random weights, or with its published ones, which are downloaded where they are not here.

    Timm's pyramids have their feature maps as outputs; its transformers come without their head, and of open_clip's
    models it is the image encoder.
    """
    network: nn.Module
    if backbone.startswith(TIMM):
        network = _timm_network(backbone, pretrained)
    elif backbone.startswith(OPEN_CLIP):
        import open_clip

        model, weights = _open_clip_model(backbone)
        where = torch.get_default_device()  # it moves the model, also from "meta"
        whole: Any = open_clip.create_model(model, pretrained=weights if pretrained else None, device=where)
        network = getattr(whole.visual, "trunk", whole.visual)  # a trunk is timm's
    else:
        network = torchvision.models.get_model(backbone, weights=torchvision_weights(backbone) if pretrained else None)
    return network


def open_clip_config(backbone: str) -> dict[str, Any]:
    """What open_clip knows of a model's weights: where they are, and how images were prepared for them."""
    model, weights = _open_clip_model(backbone)
    import open_clip

    config: dict[str, Any] = open_clip.get_pretrained_cfg(model, weights)
    return config


def preparation(backbone: str) -> Preparation:
    """How the images of a network were prepared when its published weights were trained.

    Raises:
        InputError: no such network.
    """
    check_name(backbone)
    config: dict[str, Any]
    if backbone.startswith(TIMM):
        known = timm.get_pretrained_cfg(backbone.removeprefix(TIMM))
        config = timm.data.resolve_data_config(pretrained_cfg=known.to_dict() if known else {})
    elif backbone.startswith(OPEN_CLIP):
        config = open_clip_config(backbone)
    else:
        transforms = torchvision_weights(backbone).transforms()
        config = {"mean": transforms.mean, "std": transforms.std, "interpolation": transforms.interpolation.value}
    return Preparation(tuple(config["mean"]), tuple(config["std"]), str(config["interpolation"]))


@cache
def is_transformer(backbone: str) -> bool:
    """Whether all blocks of a network have maps of one size, as in a vision transformer; else they form a pyramid."""
    if backbone.startswith(OPEN_CLIP):
        return True
    if not backbone.startswith(TIMM):
        return False
    with torch.device("meta"):  # no memory, no initialisation
        network: Any = timm.create_model(backbone.removeprefix(TIMM), features_only=True)
    return len(set(network.feature_info.reduction())) == 1


def _timm_network(backbone: str, pretrained: bool) -> nn.Module:
    name = backbone.removeprefix(TIMM)
    if not is_transformer(backbone):
        return timm.create_model(name, pretrained=pretrained, features_only=True)
    options: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0}
    try:
        return timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:  # a transformer whose images must have one size
        return timm.create_model(name, **options)


def _open_clip_model(backbone: str) -> tuple[str, str]:
    """A model's name and that of its weights."""
    try:
        import open_clip
    except ImportError:
        raise InputError(f"backbone '{backbone}' needs open_clip: pip install 'pybench[open_clip]'") from None
    model, _, weights = backbone.removeprefix(OPEN_CLIP).partition("/")
    if model not in open_clip.list_models():
        raise InputError(unknown("open_clip model", model, open_clip.list_models()))
    encoder = open_clip.get_model_config(model)["vision_cfg"]
    in_timm = encoder.get("timm_model_name")
    if not (is_transformer(TIMM + in_timm) if in_timm else isinstance(encoder["layers"], int)):
        raise InputError(f"backbone '{backbone}': only vision transformers are taken from open_clip; try {TIMM}NAME")
    known = open_clip.list_pretrained_tags_by_model(model)
    if weights not in known:
        raise InputError(unknown(f"weights of open_clip/{model}", weights, known))
    return model, weights
