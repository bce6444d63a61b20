"""The user's settings (``--set``) replace those of a suite; a wrong one is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pybench.types import InputError
from tests.unit.planning.suites import GOOD, planned


def test_overrides_have_the_last_word(read: Callable[..., Any]) -> None:
    overrides = {
        "padim.dimensions": "7", "params.image_size": "320", "seeds": "[0, 1]", "protocol.evaluate_at": "image",
        "resources.threads": "2", "mvtec_ad_standin.train": "5",
    }  # fmt: skip
    specs = planned(read(GOOD), overrides=overrides).specs
    assert len(specs) == 4, "the grid is replaced, two seeds are run"
    first = specs[0]
    assert (first.params["dimensions"], first.params["image_size"], specs[1].seed) == (7, 320, 1)
    assert (first.protocol.evaluate_at, first.resources.threads, first.dataset_options["train"]) == ("image", 2, 5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"padim.dimension": "3"}, "--set padim.dimension"),
        ({"params.wieghts": "random"}, "did you mean 'params.weights'"),
        ({"hetmm.alpha": "0.5"}, "--set hetmm.alpha: unknown key"),
        ({"seeds": "zero"}, "expected a whole number or a list of them"),
        ({"data_seeds": "[0, -1]"}, "--set data_seeds=[0, -1]: expected a whole number"),
        ({"seeds": "9223372036854775808"}, "each at least 0 and below 2^63"),
        ({"protocol.evaluate_at": "somewhere"}, "protocol.evaluate_at: Input should be 'input' or 'image'"),
        ({"latency": "3"}, "--set latency=3: expected null, which leaves it out, or latency.KEY=VALUE"),
        ({"protocol": "null"}, "--set protocol: unknown key"),
        ({"padim.weights": "[1]"}, "padim.weights: Input should be a valid string"),
        ({"padim.dimensions": "2020-01-01"}, "padim.dimensions: Input should be a valid integer (given: '2020-01-01')"),
        (
            {"resources.threads": "0"},
            "resources.threads: Input should be 'auto' (given: 0), or: Input should be greater",
        ),
        ({"params.image_size": "128", "params.crop_size": "224"}, "crop_size 224 is larger than image_size 128"),
    ],
)
def test_wrong_overrides_are_refused(read: Callable[..., Any], overrides: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(read(GOOD), overrides=overrides)
    assert message in str(error.value)
