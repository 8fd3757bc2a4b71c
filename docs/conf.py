"""Sphinx configuration; `make docs` builds the site, and every warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import mvgraph

project = "mvgraph"
author = "the mvgraph authors"
project_copyright = "the mvgraph authors"
version = release = mvgraph.__version__

extensions = [
    "myst_parser",
    "plain_docstrings",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "registry_tables",
    "native_math",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "generated"]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
# One parameter a line where a signature would not fit into one.
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# Attributes of a docstring are a list, so that those that are properties too are not told twice.
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes"]

html_theme = "furo"
html_title = f"mvgraph {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "native"
# The pages are read offline too: nothing is fetched, and there is no text to show twice.
html_copy_source = False
html_show_sourcelink = False
