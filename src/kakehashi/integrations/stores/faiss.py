"""FAISS: an index in a file, with a file of texts beside it, a line of JSON for each vector.

LangChain's ``save_local`` writes such an index, and its texts as a pickle, which is never read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ...data.index import IndexDocuments
from ...errors import ReaderError
from .address import Address
from .faiss_index import read_index_file, vectors_of
from .rows import documents_of

_FORM = (
    'one line of JSON for each vector, in their order: {"id": "a", "text": "...", "metadata": {}}'
)


class FaissFiles(NamedTuple):
    """The files of a folder: the index, and the texts."""

    vectors: Path
    texts: Path


def files_of(folder: Path) -> FaissFiles:
    """Return the files of a folder.

    Raises:
        ReaderError: it holds no index, several, or no texts beside it.
    """
    found = sorted(folder.glob("*.faiss")) if folder.is_dir() else []
    if len(found) != 1:
        raise ReaderError(
            f"{folder} holds {len(found)} files *.faiss, and one is read; give each a folder."
        )
    texts = found[0].with_suffix(".jsonl")
    if not texts.is_file():
        raise ReaderError(
            f"{found[0]} has no texts beside it: write {texts.name}, with {_FORM}. A pickle of "
            "LangChain (index.pkl) is never read here."
        )
    return FaissFiles(found[0], texts)


def entries_of(files: FaissFiles) -> list[dict[str, Any]]:
    """Return what the file of texts says of each vector.

    Raises:
        ReaderError: a line is not of the form, or names the id of another line.
    """
    entries, ids = [], set()
    with files.texts.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = json.loads(line)
                name = entry["id"]
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise ReaderError(f"{files.texts}, line {number}: it holds {_FORM}.") from error
            if not isinstance(name, str) or name in ids:
                raise ReaderError(
                    f"{files.texts}, line {number}: the id {name!r:.60} is no text, or that of "
                    "another line."
                )
            ids.add(name)
            entries.append(entry)
    return entries


def require_equal_length(n_vectors: int, entries: list[dict[str, Any]], files: FaissFiles) -> None:
    """Refuse texts that are not those of the vectors.

    Raises:
        ReaderError: their numbers differ.
    """
    if n_vectors != len(entries):
        raise ReaderError(
            f"{files.vectors} holds {n_vectors} vectors, and {files.texts.name} {len(entries)} "
            f"lines; it holds {_FORM}."
        )


def read_faiss(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a folder."""
    files = files_of(address.required_folder())
    entries = entries_of(files)
    vectors = vectors_of(read_index_file(files.vectors), str(files.vectors))
    require_equal_length(len(vectors), entries, files)
    return documents_of(
        address.text,
        [entry["id"] for entry in entries],
        [entry.get("text") for entry in entries],
        vectors if entries else None,
        [entry.get("metadata") for entry in entries],
    )
