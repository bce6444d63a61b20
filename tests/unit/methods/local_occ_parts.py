"""Small ``local_occ`` methods and pictures for their tests."""

from __future__ import annotations

from typing import Any

from pybench.methods.local_occ import LocalOcc, LocalOccParams
from pybench.types import Context
from tests.conformance.checks import plant

PLANT = plant()
STEP: dict[str, Any] = {"matching_budget": {"steps": 1}, "mapping_budget": {"steps": 1}}


def method(context: Context | None = None, **params: Any) -> LocalOcc:
    small = {"weights": "random", "image_size": 32, "batch_size": 4}
    return LocalOcc(LocalOccParams.model_validate({**small, **params}), context or Context())


def fitted(context: Context | None = None, **params: Any) -> LocalOcc:
    made = method(context, **params)
    made.fit(PLANT.train)
    return made
