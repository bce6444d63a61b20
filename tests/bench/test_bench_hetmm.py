"""HETMM's prediction of one image with 60 sheets: how much of it is left in the backbone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pybench import registry
from pybench.ops import pack_templates
from pybench.types import Context, Method

SHEETS = 60


def fitted(backbone: str, backend: str) -> Any:
    """With random weights and random templates: neither changes how long anything takes."""
    hetmm: type[Method] = registry.load("method", "hetmm")
    params = hetmm.Params(backbone=backbone, weights="random", sheets=SHEETS)
    method: Any = hetmm(params, Context("cpu", 0, backend))
    layers = method.features(torch.rand(1, 3, 256, 256))
    generator = torch.Generator().manual_seed(0)
    method.banks = [pack_templates(torch.randn(SHEETS, *layer.shape[1:], generator=generator)) for layer in layers]
    return method


@pytest.mark.parametrize("backbone", ["resnet18", "wide_resnet101_2"])
def test_predict(compare: Callable[..., None], benchmark: Any, backbone: str) -> None:
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    ours, plain = fitted(backbone, "auto"), fitted(backbone, "reference")
    with torch.inference_mode():
        compare(
            op="hetmm predict",
            case=f"{backbone}, {SHEETS} sheets",
            ours=lambda: ours.predict(image),
            baselines={"plain torch": lambda: plain.predict(image)},
        )
        times = []
        for _ in range(5):
            start = time.perf_counter()
            ours.features(image)
            times.append(1000 * (time.perf_counter() - start))
    benchmark.extra_info["backbone_ms"] = statistics.median(times)
