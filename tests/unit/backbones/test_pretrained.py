"""Pre-trained backbones: where features are taken, and messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from pybench.backbones.pretrained import Pretrained
from pybench.types import InputError
from tests.unit.backbones.small_resnet import IMAGES, backbone


@pytest.mark.parametrize(("name", "channels"), [("resnet18", [64, 128, 256]), ("timm/resnet18", [64, 128, 256])])
def test_layer_n_has_stride_two_to_the_n_plus_one(name: str, channels: list[int]) -> None:
    features = backbone(name=name)(IMAGES)
    assert [list(layer.shape) for layer in features] == [
        [2, count, 64 // stride, 64 // stride] for count, stride in zip(channels, (4, 8, 16), strict=True)
    ]


def test_taps_are_what_torchvision_computes() -> None:
    network = torchvision.models.resnet18(weights=None).eval()
    expected: dict[str, torch.Tensor] = {}
    for layer in ("layer2", "layer4"):
        getattr(network, layer).register_forward_hook(
            lambda _, __, output, layer=layer: expected.update({layer: output})
        )
    file = {"state": network.state_dict()}
    ours = backbone(layers=(2, 4))
    ours_with_weights = _with_state(file["state"])
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.no_grad():
        network((IMAGES - mean) / std)
    for found, layer in zip(ours_with_weights(IMAGES), ("layer2", "layer4"), strict=True):
        torch.testing.assert_close(found, expected[layer], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(ours(IMAGES)[0], expected["layer2"])


def _with_state(state: dict[str, torch.Tensor]) -> Pretrained:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        save_file({key: value.contiguous() for key, value in state.items()}, file.name)
        return backbone(weights=file.name, layers=(2, 4))


def test_before_relu_is_the_same_up_to_the_relu() -> None:
    before, after = backbone(before_relu=True)(IMAGES), backbone()(IMAGES)
    for raw, rectified in zip(before, after, strict=True):
        assert (raw < 0).any()
        torch.testing.assert_close(raw.relu(), rectified)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "resnet19"}, "did you mean 'resnet1"),
        ({"name": "timm/resnet18d_"}, "unknown timm model"),
        ({"layers": (1, 5)}, "5 is not a layer of 'resnet18'"),
        ({"name": "timm/resnet18", "layers": (7,)}, "none at stride 256"),
    ],
)
def test_wrong_backbones_and_layers_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backbone(**params)


def test_maps_of_an_image_do_not_depend_on_its_batch() -> None:
    backbone = Pretrained("resnet18", "random", (2, 3), seed=0, device="cpu")
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for whole, single in zip(backbone(images), backbone(images[1:2]), strict=True):
        assert torch.equal(whole[1:2], single)
        assert whole.is_contiguous(memory_format=torch.channels_last)
