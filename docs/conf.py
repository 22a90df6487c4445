"""Sphinx configuration. Build with ``sphinx-build -W -b html docs docs/_build/html``."""

from importlib.metadata import version as installed_version

project = "pyicg"
author = "The pyicg developers"
copyright = "2026, The pyicg developers"
release = installed_version("pyicg")
version = release

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"pyicg {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings state the types in words
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True
