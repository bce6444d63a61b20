"""Weights of pre-trained networks: where they come from; they are never replaced by others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from pybench.backbones.weights import fetch_weights
from pybench.types import InputError
from tests.unit.backbones.small_resnet import IMAGES, backbone


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
    torch.manual_seed(1)  # not the weights that a random backbone has
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), checkpoint)
    assert list(fetch_weights("resnet18", "imagenet")) == ["imagenet:resnet18"]
    assert backbone(weights="imagenet").weights_sha256 != backbone().weights_sha256
