"""Reading all documents of an index: of a store by its address, or of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...data.index import IndexDocuments, read_index_file
from ...errors import KakehashiError, ReaderError
from .address import Address, parse_address
from .chroma import read_chroma
from .langchain_dump import read_langchain_dump
from .llama_index_storage import read_llama_index_storage
from .qdrant import read_qdrant

_READERS: dict[str, Callable[[Address], IndexDocuments]] = {
    "chroma": read_chroma,
    "qdrant": read_qdrant,
    "llama-index": read_llama_index_storage,
    "langchain": read_langchain_dump,
}


def read_index(address: str | Path, *, column: str = "target") -> IndexDocuments:
    """Read the documents of an index, to rank questions among them all.

    Nothing is written, and no text is embedded.

    Args:
        address: a store, ``chroma:FOLDER?collection=NAME``, ``chroma://HOST:PORT?collection=NAME``
            or ``qdrant:...`` in the same forms, ``llama-index:FOLDER`` (a persisted storage) or
            ``langchain:FILE.json`` (the dump of an in-memory store). The collection may be left out
            where there is only one, and the kind where the folder shows it. Or a file of texts
            (``.txt``, ``.jsonl``, ``.csv``, ...) or of vectors and texts (``.npz`` with ``target``
            and ``target_texts``).
        column: of a file: the column or array of the documents.

    Raises:
        ReaderError: a file or a store cannot be read.
        DataError: no such store or collection, or documents that cannot be used.
        MissingExtraError: the store's package is not installed.
    """
    parsed = parse_address(str(address))
    if parsed is None:
        return read_index_file(address, column=column)
    try:
        return _READERS[parsed.kind](parsed)
    except KakehashiError:
        raise
    except Exception as error:  # a damaged store raises whatever its package raises
        said = " ".join(str(error).split())
        raise ReaderError(
            f"{address} cannot be read: {type(error).__name__}: {said:.200}"
        ) from error
