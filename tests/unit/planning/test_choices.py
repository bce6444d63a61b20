"""Datasets and methods of a suite with their options and parameters; what is wrong in them is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pybench.types import InputError
from tests.unit.planning.suites import GOOD, planned


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "backbone: resnet18",
            "bakbone: resnet18",
            "mine.yaml:8: methods[0].params.bakbone: unknown key 'bakbone'; did you mean 'backbone'?",
        ),
        (
            "[50, 100]",
            "[50, 0]",
            "mine.yaml:9: methods[0].grid.dimensions: Input should be greater than or equal to 1 (given: 0)",
        ),
        (
            "weights: random",
            "weights: 3",
            "mine.yaml:13: profiles.quick.methods.padim.weights: Input should be a valid string",
        ),
        (
            "weights: random",
            "dimensions: 2.5",
            "mine.yaml:13: profiles.quick.methods.padim.dimensions: Input should be a valid int",
        ),
    ],
)
def test_what_is_wrong_in_parameters_is_named(read: Callable[..., Any], old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(read(GOOD.replace(old, new, 1)))
    assert message in str(error.value)
