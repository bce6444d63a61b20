"""Every method that comes with pybench keeps to the contract; a new file in ``methods/`` is tested by being there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pybench import registry
from pybench.backbones.method import BackboneParams
from pybench.planning import strict_yaml
from pybench.planning.suite import load_suite
from pybench.stages import record
from pybench.types import Method
from tests.conformance import checks

PLANT = checks.plant()
ON_A_BACKBONE = ["hetmm", "local_occ", "padim", "patchcore"]
OWN_BACKBONES: dict[str, dict[str, Any]] = {
    "filter_bank": {"backbone": "filter_bank"},
    "adapted": {"backbone": "adapted", "adaptation": {"steps": 5}},
}


@pytest.fixture(autouse=True, scope="module")
def _a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def subject(name: str, **changes: Any) -> checks.Subject:
    """A method with the settings that the smoke suite gives it, changed."""
    suite, _ = load_suite("smoke")
    settings = {entry.name: entry.params for entry in suite.methods}
    assert name in settings, f"suites/smoke.yaml must name {name}"
    cls: type[Method] = registry.load("method", name)
    return checks.Subject(cls, strict_yaml.validate(cls.Params, {**settings[name], **changes}))


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", registry.names("method"))
def test_method(name: str, check: checks.Check) -> None:
    check(subject(name), PLANT)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ON_A_BACKBONE)
@pytest.mark.parametrize("backbone", OWN_BACKBONES)
def test_method_on_our_backbones(backbone: str, name: str, check: checks.Check) -> None:
    check(subject(name, weights="none", **OWN_BACKBONES[backbone]), PLANT)


@pytest.mark.parametrize("name", registry.names("method"))
def test_a_prediction_names_all_its_stages(name: str) -> None:
    method = subject(name).fitted(PLANT)
    with record(lambda: None) as found:
        method.predict(PLANT.test)
    assert found.keys() == {"preprocess", "backbone", "match", "postprocess"}


def test_every_method_on_a_backbone_is_tested_on_ours() -> None:
    classes = {name: registry.load("method", name) for name in registry.names("method")}
    assert [name for name, cls in classes.items() if issubclass(cls.Params, BackboneParams)] == ON_A_BACKBONE


@pytest.mark.parametrize("name", registry.names("method"))
def test_parameters_are_documented_and_the_paper_is_named(name: str) -> None:
    cls: type[Method] = registry.load("method", name)
    assert cls.paper.title
    assert cls.paper.year > 1900
    undocumented = [key for key, field in cls.Params.model_fields.items() if not field.description]
    assert not undocumented


def test_the_plant_is_not_found_by_brightness_a_constant_or_an_unrelated_map() -> None:
    labels = PLANT.masks.any((1, 2))
    brightness = PLANT.test.mean(1)
    unrelated = torch.rand(brightness.shape, generator=torch.Generator().manual_seed(0))
    for maps in (brightness, 1 - brightness, torch.zeros_like(brightness), unrelated):
        assert checks.pixel_auroc(PLANT.masks, maps) < 0.75
    mean = brightness.mean((1, 2)).numpy()
    assert 0.25 < roc_auc_score(labels, mean) < 0.75
    assert not np.allclose(mean, mean[0])
