"""How Sphinx builds the documentation (``make docs``). Nothing is fetched: no other project's index is linked."""

from __future__ import annotations

import sys
from pathlib import Path

from pybench import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "pybench"
author = "The pybench authors"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "catalogue"]
exclude_patterns = ["_build", "_extensions"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # YAML that holds expressions of GitHub Actions

autodoc_default_options = {"exclude-members": "model_config", "member-order": "bysource"}
autodoc_typehints = "signature"
maximum_signature_line_length = 100
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"pybench {version}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]
