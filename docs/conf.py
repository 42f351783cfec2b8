"""The site: Sphinx over the Markdown files of this folder, `make docs`."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_site"))

from kakehashi import __version__

# autodoc imports as a type checker does, and LlamaIndex fails at that: here it comes first.
import_module("kakehashi.integrations.llama_index")

project = "kakehashi"
author = copyright = "The kakehashi authors"
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "mathml",
    "github_markdown",
    "command_line",
    "public_names",
    "plain_types",
]
exclude_patterns = ["_site", "_build"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_fence_as_directive = {"math"}  # GitHub renders a block of this name
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"kakehashi {release}"
html_static_path = ["_static"]
html_css_files = ["kakehashi.css"]
html_extra_path = ["llms.txt"]
html_math_renderer = "mathml"
html_theme_options = {
    "source_repository": "https://github.com/kakehashi-rag/kakehashi/",
    "source_branch": "main",
    "source_directory": "docs/",
}

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_use_ivar = True
nitpick_ignore_regex = [
    # Only references into kakehashi are checked: other libraries' documents would be fetched.
    (r"py:.*", r"(?!kakehashi).*"),
    # Parts of an aligner, and types inside of signatures, that no caller makes or calls.
    (
        r"py:class",
        r"kakehashi\.(projection|routing|retrieval\.(hits|embedding_methods|encoded_query|calibration))\..*",
    ),
    (r"py:class", r"kakehashi\.(encoders\.signature|evaluation\.task|integrations)\..*"),
    (r"py:class", r"kakehashi\.progress\.T"),
    (
        r"py:class",
        r"kakehashi\.(evaluation\.second_verdict|retrieval\.second_model\.(model\.)?Look).*",
    ),
]
