"""A prediction that breaks the contract fails its trial, with what is wrong as the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pybench.records import Record


@pytest.mark.parametrize(
    ("artefact", "reason"),
    [
        ("images[:1]", "the artefact x of shape [1, 3, 40, 40]; expected [6, 3, 40, 40]"),
        ("images[:, :2]", "the artefact x of shape [6, 2, 40, 40]; expected [6, 3, 40, 40]"),
        ("maps", "the artefact x of shape [6, 32, 32]; expected [6, 3, 32]"),
        ("images * float('nan')", "NaN or infinity in 28800 of 28800 values of the artefact x"),
    ],
)
def test_an_artefact_that_cannot_be_kept_fails_the_trial(
    run_one: Callable[..., Record], artefact: str, reason: str
) -> None:
    record = run_one(f"return Prediction(scores, maps, {{'x': {artefact}}})")
    assert record.status == "failed"
    assert record.reason == f"predict returned {reason}"
