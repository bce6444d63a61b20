"""From a suite to a search: what is searched, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pybench.search.prepare import Prepared
from pybench.types import InputError


def test_what_the_user_sets_is_not_searched(prepare_search: Callable[..., Prepared]) -> None:
    with pytest.raises(InputError, match=r"tiny.yaml:8: methods\[0\]: nothing to search of tunable"):
        prepare_search(overrides={"params.gain": "0.3"})


def test_what_is_wrong_is_named(prepare_search: Callable[..., Prepared]) -> None:
    with pytest.raises(InputError, match="did you mean 'pixel_auroc'"):
        prepare_search(metrics=("pixel_auroq",))
    with pytest.raises(InputError, match="--metric pixel_auroc is given twice"):
        prepare_search(metrics=("pixel_auroc", "pixel_auroc"))
    with pytest.raises(InputError, match="--method says which"):
        prepare_search(filters={"method": "tunable"})
