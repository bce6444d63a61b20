"""Small NDP-Nets for their tests."""

from __future__ import annotations

from typing import Any

from pybench import registry
from pybench.types import Context
from tests.conformance.checks import plant

PLANT = plant()
SETTINGS: dict[str, Any] = {
    "image_size": 64,
    "width": 2,
    "perceptual": "none",
    "batch_size": 2,
    "first_phase": {"steps": 2},
    "second_phase": {"steps": 2},
}


def method(**params: Any) -> Any:
    cls = registry.load("method", "ndp_net")
    return cls(cls.Params(**{**SETTINGS, **params}), Context())
