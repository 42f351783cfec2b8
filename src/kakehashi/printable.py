"""Strings of others made harmless: for a terminal, a message, a card.

The record of an aligner, a file of pairs or a hit of a store may come from anyone. A string of
theirs may hold escape sequences that rewrite a terminal, line breaks that forge a line of ours, or
marks that turn the order of letters round. Every string that is not ours passes here before people
see it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of Unicode: controls, formats (direction marks are among them), lone surrogates, and
separators of lines and paragraphs."""
_JOINERS = "\u200c\u200d"
"""Persian and emoji need these two formats, which move nothing."""
_NO_CHARACTERS = "\ufffe\uffff"
"""Code points that are never characters, and that no XML may hold."""
_MARKDOWN = re.compile(r"([\\`\[\]|])")
_PASSWORD = re.compile(r"(\w://[^/:@\s]*):\S*@")
_PASSWORD_OPTION = re.compile(r"([?&][^=&\s]*(?:password|key|token|secret)=)[^&\s]*", re.IGNORECASE)


def printable(text: Any) -> str:
    """Return a string, or anything's ``str``, with what cannot be seen written as an escape.

    A line break becomes ``\\n``, an escape character ``\\x1b``, a direction mark ``\\u202e``.
    """
    plain = str(text)
    return plain if plain.isprintable() else "".join(map(_seen, plain))


def _seen(character: str) -> str:
    if character in _JOINERS:
        return character
    if unicodedata.category(character) not in _UNSEEN and character not in _NO_CHARACTERS:
        return character
    return character.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    """As :func:`printable`, but keep line breaks: for a message of several lines that is ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(document: str) -> str:
    """Escape in a JSON document what cannot be seen, so that it parses to the same value."""
    return "".join(_json_seen(character) for character in document)


def _json_seen(character: str) -> str:
    seen = _seen(character)
    if character in (seen, "\n"):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))


def markdown(text: Any) -> str:
    """Return a printable string that Markdown shows as it stands: no HTML, link, code or cell."""
    return _MARKDOWN.sub(r"\\\1", html.escape(printable(text), quote=False))


def without_password(text: str) -> str:
    """Return an address, or a word of a command that holds one, without a password.

    More than the password may be left out where its ``@`` or ``/`` are not written as ``%40`` and
    ``%2F``.
    """
    return _PASSWORD_OPTION.sub(r"\1", _PASSWORD.sub(r"\1@", text))
