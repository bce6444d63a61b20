"""Puts another build of the extension in the place of the installed one: that with sanitizers (.ci/sanitize)."""

import importlib.util
import os
import sys

import pybench

if extension := os.environ.get("PYBENCH_CPU_EXTENSION"):
    spec = importlib.util.spec_from_file_location("pybench._cpu", extension)
    assert spec is not None
    assert spec.loader is not None
    pybench._cpu = sys.modules["pybench._cpu"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pybench._cpu"])
