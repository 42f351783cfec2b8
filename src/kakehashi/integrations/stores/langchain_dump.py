"""LangChain: the dump of an in-memory store, which is plain JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import ReaderError
from .address import Address
from .rows import documents_of


def read_langchain_dump(address: Address) -> IndexDocuments:
    """Read the texts and vectors of ``InMemoryVectorStore.dump(path)``, without LangChain."""
    path = address.required_folder()
    entries = read_entries(path)
    ids, rows = list(entries), list(entries.values())
    texts = [row["text"] for row in rows]
    metadata = [row.get("metadata") for row in rows]
    try:
        vectors = np.array([row["vector"] for row in rows], np.float32) if ids else None
    except ValueError as error:
        raise _no_dump(path, error) from error
    return documents_of(address.text, ids, texts, vectors, metadata)


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entry of each id, whose ``vector`` is (d,) float32.

    Raises:
        ReaderError: the file is no dump.
    """
    try:
        with path.open(encoding="utf-8") as file:
            entries: dict[str, dict[str, Any]] = json.load(file, object_hook=_with_array)
        for entry in entries.values():
            if not isinstance(entry["vector"], np.ndarray) or "text" not in entry:
                raise ValueError("an entry without a vector and a text")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _no_dump(path, error) from error
    return entries


def _with_array(read: dict[str, Any]) -> dict[str, Any]:
    """Make an array of the vector of an entry: numbers of Python take eight times the memory."""
    if "vector" in read and "text" in read:
        read["vector"] = np.array(read["vector"], np.float32)
    return read


def _no_dump(path: Path, error: Exception) -> ReaderError:
    return ReaderError(
        f"{path} is no dump of LangChain's InMemoryVectorStore ({error!r:.80}); write it with "
        "store.dump(path)."
    )
