"""Small methods on an untrained ResNet-18, for their tests."""

from __future__ import annotations

from typing import Any

from pybench import registry
from pybench.types import Context, Method
from tests.conformance.checks import plant

PLANT = plant()
SETTINGS: dict[str, Any] = {"backbone": "resnet18", "weights": "random", "image_size": 64}


def fitted(name: str, **params: Any) -> Any:
    """The method of that name, fitted on the plant's normal images."""
    cls: type[Method] = registry.load("method", name)
    made = cls(cls.Params(**{**SETTINGS, **params}), Context())
    made.fit(PLANT.train)
    return made
