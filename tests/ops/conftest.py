"""Puts another build of the extension in the place of the installed one: that with sanitizers (.ci/sanitize)."""

import importlib.util
import os
import sys

import pytest

import pybench

SANITIZED = os.environ.get("PYBENCH_CPU_EXTENSION")

if SANITIZED:
    spec = importlib.util.spec_from_file_location("pybench._cpu", SANITIZED)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["pybench._cpu"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pybench._cpu"])
    pybench.__dict__["_cpu"] = sys.modules["pybench._cpu"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs no native code has nothing to show to a sanitizer."""
    if SANITIZED:
        without = [item for item in items if "[reference" in item.name]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
