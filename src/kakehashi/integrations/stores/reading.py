"""Reading all documents of a store by its address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...data.index import IndexDocuments, read_index_file
from ...errors import KakehashiError, ReaderError
from .address import Address, parse_address
from .chroma import read_chroma
from .faiss import read_faiss
from .lancedb import read_lancedb
from .langchain_dump import read_langchain_dump
from .llama_index_storage import read_llama_index_storage
from .parquet import read_parquet
from .postgres.reading import read_postgres
from .qdrant import read_qdrant

_READERS: dict[str, Callable[[Address], IndexDocuments]] = {
    "chroma": read_chroma,
    "qdrant": read_qdrant,
    "lancedb": read_lancedb,
    "postgres": read_postgres,
    "faiss": read_faiss,
    "llama-index": read_llama_index_storage,
    "langchain": read_langchain_dump,
    "parquet": read_parquet,
}


def read_address(
    address: str | Path, *, column: str = "target", **how_file: str | None
) -> IndexDocuments:
    """Read the documents of a store or a file, as :func:`kakehashi.read_index` says.

    Args:
        how_file: ``encoding`` and ``sheet`` of a file.
    """
    parsed = parse_address(str(address))
    if parsed is None:
        return read_index_file(address, column=column, **how_file)
    try:
        return _READERS[parsed.kind](parsed)
    except KakehashiError:
        raise
    except Exception as error:  # a damaged store raises whatever its package raises
        said = " ".join(str(error).split())
        raise ReaderError(
            f"{parsed.text} cannot be read: {type(error).__name__}: {said:.200}"
        ) from error
