"""What GitHub shows of a page, the site shows, too: links out of docs/, and tabs for two shells."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

REPOSITORY = "https://github.com/kakehashi-rag/kakehashi/blob/main/"
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_TWO_SHELLS = re.compile(
    r"^(```bash\n.*?^```)\n\n(```powershell\n.*?^```)$", re.DOTALL | re.MULTILINE
)
_TABS = """\
::::{tab-set}
:::{tab-item} Shell
:sync: shell
\\1
:::
:::{tab-item} PowerShell
:sync: powershell
\\2
:::
::::"""


def _for_the_site(text: str, page: Path, docs: Path) -> str:
    """Return a page's source; a link out of docs/ becomes one into the repository.

    Args:
        page: the file that holds the text.
        docs: the folder of all pages.
    """

    def outside(link: re.Match[str]) -> str:
        path = (page.parent / link[1]).resolve()
        if path.is_relative_to(docs):
            return link[0]  # Sphinx resolves it, or warns
        if not path.exists():
            logging.getLogger(__name__).warning("no such file: %s", link[1], location=str(page))
        return f"]({REPOSITORY}{path.relative_to(docs.parent).as_posix()}{link[2] or ''})"

    return _TWO_SHELLS.sub(_TABS, _LINK.sub(outside, text))


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = _for_the_site(source[0], Path(app.env.doc2path(name)), Path(app.srcdir))


def _include(app: Sphinx, path: Path, _: str, source: list[str]) -> None:
    docs = Path(app.srcdir)
    source[0] = _for_the_site(source[0], (docs / path).resolve(), docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both ways by which Sphinx reads a page."""
    app.connect("source-read", _read)
    app.connect("include-read", _include)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
