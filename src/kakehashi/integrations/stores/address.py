"""The address of a store, in the form of a database URL: ``chroma:FOLDER?collection=NAME``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import DataError
from ...printable import without_password
from .postgres_address import parse_postgres
from .store_address import Address

__all__ = ["FORM", "KINDS", "Address", "parse_address"]

FORM = "KIND:FOLDER?collection=NAME, or KIND://HOST:PORT?collection=NAME for a server"
KINDS = (
    "chroma",
    "qdrant",
    "lancedb",
    "postgres",
    "llama-index",
    "langchain",
    "faiss",
    "parquet",
)
_OPTIONS = ("collection", "vector")


def parse_address(text: str) -> Address | None:
    """Return the parts of an address; None for the path of a file.

    A path starts after the colon (``chroma:db`` or ``chroma:/data/db``) or after three slashes
    (``chroma:///data/db``). A folder or a dump needs no kind where it shows its own.

    Raises:
        DataError: an unknown kind or option, or a folder that is no known store.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind.partition("+")[0] in ("postgres", "postgresql"):
        return parse_postgres(text)
    if not colon or kind not in KINDS:
        if colon and "//" in rest[:2]:
            text = without_password(text)
            raise DataError(f"{text}: unknown kind {kind!r}; it is {FORM}, of {', '.join(KINDS)}.")
        path = Path(text)
        found = _kind_of(path)
        return None if found is None else Address(text, found, path)
    try:
        parts = urlsplit(rest)
    except ValueError as error:
        raise DataError(f"{without_password(text)} is no address: it is {FORM}.") from error
    if parts.hostname is not None:
        text = without_password(text)  # which no server here asks for; errors name the address
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            shown = without_password(text)
            raise DataError(f"{shown}: unknown option {name!r}; allowed are {', '.join(_OPTIONS)}.")
    collection, vector = options.get("collection"), options.get("vector")
    if parts.hostname is not None:
        server = (parts.hostname, _port(text, parts))
        return Address(text, kind, server=server, collection=collection, vector=vector)
    if not parts.path:
        raise DataError(f"{text} names no folder; it is {FORM}.")
    return Address(text, kind, Path(unquote(parts.path)), collection=collection, vector=vector)


def _port(text: str, parts: object) -> int | None:
    try:
        port: int | None = parts.port  # type: ignore[attr-defined]
    except ValueError as error:
        raise DataError(f"{text}: {error}; it is {FORM}.") from error
    return port


def _kind_of(path: Path) -> str | None:
    """Return the kind of a store by its files; None for a file of texts or vectors."""
    if os.path.isfile(path):
        return "langchain" if path.suffix.lower() == ".json" else None
    if not os.path.isdir(path):
        return None
    if (path / "index.pkl").exists() and not any(path.glob("*.jsonl")):
        raise DataError(
            f"{path} is a FAISS folder of LangChain: its texts are a pickle, which is never read "
            'here. Write them as index.jsonl beside it, a line for each vector: {"id": "a", '
            '"text": "...", "metadata": {}}.'
        )
    marks: dict[str, Callable[[], bool]] = {
        "chroma": (path / "chroma.sqlite3").exists,
        "qdrant": lambda: (path / "meta.json").exists() and (path / "collection").exists(),
        "lancedb": lambda: any(path.glob("*.lance")),
        "faiss": lambda: any(path.glob("*.faiss")),
        "parquet": lambda: any(path.glob("*.parquet")),
        "llama-index": (path / "docstore.json").exists,
    }
    for kind, is_there in marks.items():
        if is_there():
            return kind
    raise DataError(
        f"{path} is a folder of no known store; give {FORM}, of {', '.join(KINDS)}, or a file."
    )
