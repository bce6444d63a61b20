"""Small ``defect_map`` methods and pictures for their tests."""

from __future__ import annotations

from typing import Any

from pybench.methods.defect_map import DefectMap, DefectMapParams
from pybench.types import Context
from tests.conformance.checks import plant

PLANT = plant()
TINY: dict[str, Any] = {
    "image_size": 64,
    "reconstruction_width": 4,
    "prediction_width": 4,
    "depths": (1, 1, 1, 1),
    "batch_size": 2,
    "budget": {"steps": 1},
}


def method(**params: Any) -> DefectMap:
    return DefectMap(DefectMapParams(**{**TINY, **params}), Context())
