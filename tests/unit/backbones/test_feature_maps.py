"""Where feature maps are taken: pyramids by stride, transformers by block."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision

from pybench.backbones.feature_maps import check_layers, feature_maps
from pybench.backbones.networks import create
from pybench.types import InputError
from tests.unit.backbones.small_resnet import IMAGES, backbone


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet18", [64, 128, 256]),
        ("mobilenet_v2", [24, 32, 96]),
        ("mobilenet_v3_small", [16, 24, 48]),
        ("efficientnet_b0", [24, 40, 112]),
        ("mnasnet0_5", [16, 24, 48]),
        ("regnet_y_400mf", [48, 104, 208]),
        ("densenet121", [256, 512, 1024]),
        ("convnext_tiny", [96, 192, 384]),
        ("swin_t", [96, 192, 384]),
        ("vgg11", [256, 512, 512]),
        ("timm/resnet18", [64, 128, 256]),
        ("timm/tf_efficientnet_lite0", [24, 40, 112]),
    ],
)
def test_layer_n_has_stride_two_to_the_n_plus_one(name: str, channels: list[int]) -> None:
    features = backbone(name=name)(IMAGES)
    assert [list(layer.shape) for layer in features] == [
        [2, count, 64 // stride, 64 // stride] for count, stride in zip(channels, (4, 8, 16), strict=True)
    ]


def test_layers_of_every_family_can_be_checked() -> None:
    for name in ("resnet18", "regnet_x_400mf", "densenet121", "swin_t", "mnasnet0_5", "mobilenet_v3_small"):
        check_layers(name, (1, 2, 3, 4))


def test_a_layer_is_the_last_output_of_its_stride() -> None:
    network = torchvision.models.mobilenet_v2(weights=None).eval()
    taken = feature_maps(network, "mobilenet_v2", (3, 1), before_relu=False)
    with torch.inference_mode():
        expected = [network.features[:14](IMAGES), network.features[:4](IMAGES)]
        for found, layer in zip(taken(IMAGES), expected, strict=True):
            torch.testing.assert_close(found, layer)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050", "convnext_atto"])
def test_what_comes_after_the_last_layer_of_a_timm_network_is_left_out(name: str) -> None:
    network: Any = create(f"timm/{name}", pretrained=False).eval()
    with torch.inference_mode():
        expected = dict(zip(network.feature_info.reduction(), network(IMAGES), strict=True))
        whole = sum(1 for _ in network.modules())
        taken = feature_maps(network, f"timm/{name}", (1, 3), before_relu=False)(IMAGES)
    assert sum(1 for _ in network.modules()) < whole
    torch.testing.assert_close(taken, [expected[4], expected[16]], rtol=0, atol=0)


def test_before_relu_is_the_same_up_to_the_relu() -> None:
    before, after = backbone(before_relu=True)(IMAGES), backbone()(IMAGES)
    for raw, rectified in zip(before, after, strict=True):
        assert (raw < 0).any()
        torch.testing.assert_close(raw.relu(), rectified)


@pytest.mark.parametrize(
    ("name", "side", "grid"),
    [
        ("timm/vit_tiny_patch16_224", 64, 4),
        ("timm/vit_tiny_patch16_224", 70, 4),  # to the nearest multiple of the patch's side, 64
        ("timm/vit_tiny_patch16_dinov3_qkvb", 64, 4),  # rotary positions, register tokens
        ("timm/xcit_nano_12_p16_224", 64, 14),  # takes 224 pixels only
    ],
)
def test_blocks_of_a_transformer_are_a_grid_of_its_patches(name: str, side: int, grid: int) -> None:
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    found = backbone(name=name, layers=(12, 2))(images)
    channels = {"timm/xcit_nano_12_p16_224": 128}.get(name, 192)
    assert [list(layer.shape) for layer in found] == [[2, channels, grid, grid]] * 2


def test_tokens_are_those_of_the_block_and_the_last_ones_are_normalised() -> None:
    name = "vit_tiny_patch16_224"
    network = create(f"timm/{name}", pretrained=False).eval()
    taken = feature_maps(network, f"timm/{name}", (3, 12), before_relu=False)
    whole = timm.create_model(name, num_classes=0, img_size=64).eval()
    state = network.state_dict()
    state["pos_embed"] = timm.layers.resample_abs_pos_embed(state["pos_embed"], new_size=[4, 4])
    whole.load_state_dict(state)
    outputs: list[torch.Tensor] = []
    whole.blocks[2].register_forward_hook(lambda _, __, output: outputs.append(output))
    with torch.inference_mode():
        outputs.append(whole.forward_features(IMAGES))
        for found, tokens in zip(taken(IMAGES), outputs, strict=True):
            expected = tokens[:, 1:].transpose(1, 2).reshape(2, 192, 4, 4)  # without the class token
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "grid"), [("ViT-B-32/openai", 7), ("ViT-B-16-SigLIP/webli", 14)])
def test_encoders_of_open_clip_have_blocks(name: str, grid: int) -> None:
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    network = create(f"open_clip/{name}", pretrained=False).eval()
    with torch.inference_mode():
        first, last = feature_maps(network, f"open_clip/{name}", (1, 12), before_relu=False)(IMAGES)
    assert list(first.shape) == list(last.shape) == [2, 768, grid, grid]
    norm = network.norm if hasattr(network, "norm") else network.ln_post
    torch.testing.assert_close(last.mean(1), norm.bias.mean().expand(2, grid, grid), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "layers", "message"),
    [
        (
            "resnet18",
            (1, 5),
            r"5 is not a layer of 'resnet18': .* strides \[2, 4, 8, 16, 32\], and layer 5 would have 64",
        ),
        ("timm/resnet18", (7,), "layer 7 would have 256"),
        (
            "timm/vit_tiny_patch16_224",
            (13,),
            "13 is not a block of 'timm/vit_tiny_patch16_224', which has the blocks 1 to 12",
        ),
        ("timm/vit_tiny_patch16_224", (0,), "0 is not a block"),
        ("resnet19", (1,), "did you mean 'resnet1"),
    ],
)
def test_layers_that_are_not_there_are_refused(name: str, layers: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_layers(name, layers)
