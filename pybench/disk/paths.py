"""Folders on this machine that pybench uses by default."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where generated data lies: ``PYBENCH_CACHE``, else ``pybench`` in the user's cache folder."""
    own = os.environ.get("PYBENCH_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pybench"
