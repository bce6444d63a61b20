"""Pre-trained backbones: where features are taken, and messages."""

from __future__ import annotations

import torch
import torchvision
from safetensors.torch import save_file

from pybench.backbones.pretrained import Pretrained
from tests.unit.backbones.small_resnet import IMAGES, backbone


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


def test_maps_of_an_image_do_not_depend_on_its_batch() -> None:
    backbone = Pretrained("resnet18", "random", (2, 3), seed=0, device="cpu")
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for whole, single in zip(backbone(images), backbone(images[1:2]), strict=True):
        assert torch.equal(whole[1:2], single)
        assert whole.is_contiguous(memory_format=torch.channels_last)
