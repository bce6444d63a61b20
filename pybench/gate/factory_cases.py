"""The case of the pytest fixture ``gate``: a user's factory of a call.

Runs inside base's and head's process (see worker.py) and imports the user's own code.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

Call = Callable[[int], object]

PACKAGES: list[str] = []  # the option ``package`` names the one under test


def cases(factory: str, package: str) -> dict[str, Callable[[], tuple[Call, str]]]:
    """The case ``module:function``; none where this revision has no such module or function."""
    module, _, name = factory.partition(":")
    try:
        make = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, but not what it imports
        make = None
    return {} if make is None else {factory: lambda: (_ignoring_index(make()), "")}


def _ignoring_index(call: Callable[[], object]) -> Call:
    return lambda _: call()
