"""Chroma: the documents of a collection, in a folder or on a server."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError, MissingExtraError
from .address import Address
from .rows import documents_of

_PAGE = 1000


def chroma_client(address: Address) -> Any:
    """Return a client of a folder that is a database of Chroma, or of a server.

    Raises:
        DataError: the folder is none; a client would make a new database there.
        MissingExtraError: chromadb is not installed.
    """
    try:
        import chromadb
    except ImportError as error:
        raise MissingExtraError("chromadb", "chroma") from error
    if address.server is not None:
        host, port = address.server
        return chromadb.HttpClient(host, 8000 if port is None else port)
    folder = address.required_folder()
    if not (folder / "chroma.sqlite3").is_file():
        raise DataError(f"{address.text}: {folder} holds no database of Chroma.")
    return chromadb.PersistentClient(str(folder))


def read_chroma(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a collection, page by page."""
    client = chroma_client(address)
    name = address.collection_of([each.name for each in client.list_collections()])
    # Its own embedding function is not loaded: nothing is embedded here.
    collection = client.get_collection(name, embedding_function=None)
    ids: list[str] = []
    texts: list[str | None] = []
    vectors: list[Any] = []
    while True:
        page = collection.get(limit=_PAGE, offset=len(ids), include=["documents", "embeddings"])
        if not page["ids"]:
            break
        ids += page["ids"]
        texts += page["documents"]
        vectors.append(np.asarray(page["embeddings"], np.float32))
    stored = np.concatenate(vectors) if vectors else None
    return documents_of(address.text, ids, texts, stored)
