"""Backbones: taps, weights that are never guessed, messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from pybench.backbones.pretrained import Pretrained
from pybench.backbones.weights import fetch_weights
from pybench.types import InputError

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def backbone(seed: int = 0, before_relu: bool = False, **settings: Any) -> Pretrained:
    settings = {"name": "resnet18", "weights": "random", "layers": (1, 2, 3), **settings}
    return Pretrained(**settings, seed=seed, device="cpu", before_relu=before_relu)


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


def test_random_weights_depend_on_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = backbone(seed=1), backbone(seed=1), backbone(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.weights_sha256 == same.weights_sha256 != other.weights_sha256
    torch.testing.assert_close(one(IMAGES)[0], same(IMAGES)[0])


def test_a_file_of_weights_is_loaded_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        state = torchvision.models.resnet18(weights=None).state_dict()
    file = tmp_path / "mine.pth"
    torch.save(state, file)
    assert backbone(weights=str(file)).weights_sha256 == backbone(seed=7).weights_sha256
    assert set(fetch_weights("resnet18", str(file))) == {"mine.pth"}
    with pytest.raises(InputError, match=r"mine\.pth: cannot be loaded as weights of backbone 'resnet50'"):
        backbone(name="resnet50", weights=str(file))
    file.write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"mine\.pth: cannot be loaded"):
        backbone(weights=str(file))


def test_no_weights_are_replaced_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="neither imagenet nor random, and there is no such file"):
        fetch_weights("resnet18", "imagnet")

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(InputError) as error:
        fetch_weights("resnet18", "imagenet")
    message = str(error.value)
    assert str(tmp_path) in message
    assert "no route to host" in message
    assert "params.weights=auto" in message


def test_imagenet_weights_are_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real loading code, on a file that has the name of torchvision's and weights of ours."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    checkpoint = tmp_path / "hub" / "checkpoints" / Path(url).name
    checkpoint.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), checkpoint)
    assert list(fetch_weights("resnet18", "imagenet")) == ["imagenet:resnet18"]
    assert backbone(weights="imagenet").weights_sha256 != backbone().weights_sha256


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
