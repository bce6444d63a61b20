"""Networks by name, and how their images were prepared in training."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import torchvision

from pybench.backbones.networks import Preparation, check_name, is_transformer, preparation, torchvision_names
from pybench.types import InputError

USUAL = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "expected", "interpolation"),
    [
        ("resnet18", USUAL, "bilinear"),
        ("wide_resnet101_2", USUAL, "bilinear"),
        ("vgg16", USUAL, "bilinear"),
        ("convnext_tiny", USUAL, "bilinear"),
        ("swin_t", USUAL, "bicubic"),
        ("efficientnet_v2_l", HALF, "bicubic"),
        ("timm/resnet18", USUAL, "bicubic"),
        ("timm/tf_efficientnet_lite0", HALF, "bicubic"),
        ("timm/tf_mobilenetv3_small_100", HALF, "bilinear"),
        ("timm/mixer_b16_224.miil_in21k_ft_in1k", ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), "bilinear"),
        ("timm/vit_small_patch16_224", HALF, "bicubic"),
        ("timm/vit_small_patch14_dinov2", USUAL, "bicubic"),
        ("timm/vit_small_patch16_dinov3", USUAL, "bicubic"),
        ("timm/vit_base_patch16_clip_224.openai", CLIP, "bicubic"),
        ("timm/vit_base_patch16_siglip_224", HALF, "bicubic"),
    ],
)
def test_a_network_is_normalised_as_it_was_trained(name: str, expected: tuple[Any, Any], interpolation: str) -> None:
    assert preparation(name) == Preparation(*expected, interpolation)


def test_every_network_of_torchvision_has_a_preparation() -> None:
    for name in torchvision_names():
        own = torchvision.models.get_model_weights(name)
        assert preparation(name).mean in {tuple(weights.transforms().mean) for weights in own}


def test_transformers_are_those_whose_blocks_have_maps_of_one_size() -> None:
    names = ["vit_tiny_patch16_224", "deit3_small_patch16_224", "swin_tiny_patch4_window7_224", "tf_efficientnet_lite0"]
    assert [is_transformer(f"timm/{name}") for name in names] == [True, True, False, False]
    assert not is_transformer("resnet18")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "did you mean 'resnet1"),
        ("alexnet", r"known: convnext_base, .* more \(other networks: timm/NAME, open_clip/MODEL/WEIGHTS\)"),
        ("timm/resnet18d_", "unknown timm model"),
    ],
)
def test_an_unknown_network_is_named(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_name(name)


def test_without_open_clip_its_networks_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "open_clip":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"needs open_clip: pip install 'pybench\[open_clip\]'"):
        check_name("open_clip/ViT-B-32/openai")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-33/openai", "unknown open_clip model 'ViT-B-33'; did you mean 'ViT-B-"),
        ("ViT-B-32/openia", "unknown weights of open_clip/ViT-B-32 'openia'; did you mean 'openai'"),
        ("RN50/openai", "only vision transformers are taken from open_clip; try timm/NAME"),
    ],
)
def test_names_of_open_clip_are_checked(name: str, message: str) -> None:
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    assert preparation("open_clip/ViT-B-32/openai") == Preparation(*CLIP, "bicubic")
    with pytest.raises(InputError, match=message):
        check_name(f"open_clip/{name}")
