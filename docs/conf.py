"""
Sphinx configuration; C{make docs} builds it.
"""

from siprec import __version__

project = "siprec"
author = "The siprec developers"
version = release = __version__

extensions: list[str] = []
exclude_patterns = ["_build"]
root_doc = "index"
nitpicky = True

html_theme = "alabaster"
html_theme_options = {
    "description": "A SIPREC session recording server",
    "page_width": "70em",
    "show_powered_by": False,
}
html_show_copyright = False
