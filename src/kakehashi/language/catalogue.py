"""The messages of a language, read once from its compiled catalogues (.mo)."""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def catalogue(code: str) -> dict[str, str]:
    """Return every message of a language by its English original; English itself has none.

    A language may have several files, so that parts of the package keep their messages apart.
    """
    messages: dict[str, str] = {}
    for path in sorted((FOLDER / code / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            # gettext has no way to list its messages, and finished sentences are looked for in all.
            messages |= vars(GNUTranslations(file))["_catalog"]
    messages.pop("", None)  # the header
    return messages
