"""Opening a collection by its address, so that it can be moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ....errors import DataError, KakehashiError, ReaderError
from ..address import FORM, Address, parse_address
from .chroma import open_chroma
from .faiss import open_faiss
from .lancedb import open_lancedb
from .langchain_dump import open_langchain_dump
from .llama_index_storage import open_llama_index_storage
from .parquet import open_parquet
from .postgres import open_postgres
from .protocol import MovableCollection
from .qdrant import open_qdrant

_OPENERS: dict[str, Callable[[Address], MovableCollection]] = {
    "chroma": open_chroma,
    "qdrant": open_qdrant,
    "lancedb": open_lancedb,
    "parquet": open_parquet,
    "langchain": open_langchain_dump,
    "postgres": open_postgres,
    "faiss": open_faiss,
    "llama-index": open_llama_index_storage,
}


def open_movable(address: str | Path) -> MovableCollection:
    """Open the collection at an address; see :func:`kakehashi.read_index` for the forms.

    Raises:
        DataError: no such store or collection, or a file that no migration can move.
        ReaderError: the store cannot be read.
        MissingExtraError: the store's package is not installed.
    """
    parsed = parse_address(str(address))
    if parsed is None or parsed.kind not in _OPENERS:
        raise DataError(
            f"{address} names no store that can be opened here; give {FORM}, of "
            f"{', '.join(_OPENERS)}."
        )
    try:
        return _OPENERS[parsed.kind](parsed)
    except KakehashiError:
        raise
    except Exception as error:  # a damaged store raises whatever its package raises
        said = " ".join(str(error).split())
        raise ReaderError(
            f"{parsed.text} cannot be opened: {type(error).__name__}: {said:.200}"
        ) from error
