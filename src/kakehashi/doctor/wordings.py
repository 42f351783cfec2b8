"""What a program may have embedded in place of a document's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..types import Role


class Wording(NamedTuple):
    """A form of a text.

    Attributes:
        said: how a finding names it.
        role: in which it is embedded.
        of: returns the form, of a text and its metadata.
    """

    said: str
    role: Role
    of: Callable[[str, Mapping[str, Any]], str]


def _prefixed(prefix: str) -> Wording:
    return Wording(f"with {prefix!r} before the text", "document", lambda text, _: prefix + text)


def _with_metadata(text: str, metadata: Mapping[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in metadata.items()]
    return "\n".join(lines) + "\n\n" + text


def _with_title(text: str, metadata: Mapping[str, Any]) -> str:
    title = next((metadata[name] for name in ("title", "heading", "name") if name in metadata), "")
    return f"{title}\n{text}"


AS_IT_IS = Wording("as the text stands", "document", lambda text, _: text)
WORDINGS = (
    Wording("as a question, not as a document", "query", lambda text, _: text),
    *map(
        _prefixed,
        (
            "passage: ",
            "query: ",
            "search_document: ",
            "search_query: ",
            "clustering: ",
            "title: none | text: ",
            "Represent this sentence for searching relevant passages: ",
        ),
    ),
    Wording("with its metadata before it, as LlamaIndex does", "document", _with_metadata),
    Wording("with its title before it", "document", _with_title),
    Wording("in small letters", "document", lambda text, _: text.lower()),
    Wording("on one line", "document", lambda text, _: " ".join(text.split())),
)
"""Prompts of E5, Nomic, EmbeddingGemma and BGE, by their model cards; and what frameworks do."""
