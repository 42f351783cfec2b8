"""Qdrant: the points of a collection, in a folder of local mode or on a server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError, KakehashiError
from .address import Address
from .rows import documents_of

_PAGE = 1000
_TEXT_FIELDS = ("page_content", "text", "document")
"""Of a payload, as LangChain, LlamaIndex and Qdrant's own client write it."""


def qdrant_client(address: Address) -> Any:
    """Return a client of a folder of local mode, or of a server.

    Raises:
        DataError: the folder is none; a client would make a new database there.
        KakehashiError: qdrant-client is not installed.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise KakehashiError(
            "qdrant-client is not installed; install it: pip install qdrant-client"
        ) from error
    if address.server is not None:
        host, port = address.server
        return QdrantClient(host=host, port=6333 if port is None else port)
    folder = address.required_folder()
    if not (folder / "meta.json").is_file():
        raise DataError(f"{address.text}: {folder} holds no database of Qdrant's local mode.")
    try:
        return QdrantClient(path=str(folder))
    except RuntimeError as error:  # one process at a time
        raise DataError(f"{address.text}: {error}") from error


def read_qdrant(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a collection, page by page."""
    client = qdrant_client(address)
    try:
        present = [each.name for each in client.get_collections().collections]
        name = address.collection_of(present)
        points: list[Any] = []
        offset: Any = None
        while True:
            page, offset = client.scroll(
                name, limit=_PAGE, offset=offset, with_payload=True, with_vectors=True
            )
            points += page
            if offset is None:
                break
    finally:
        client.close()
    ids = [str(point.id) for point in points]
    texts = [_text(point.payload or {}) for point in points]
    vectors = [_vector(address, point.vector) for point in points]
    return documents_of(address.text, ids, texts, np.array(vectors, np.float32) if ids else None)


def _text(payload: dict[str, Any]) -> str | None:
    for field in _TEXT_FIELDS:
        if isinstance(payload.get(field), str):
            return str(payload[field])
    if "_node_content" in payload:  # a node of LlamaIndex
        node = json.loads(payload["_node_content"])
        text = node.get("text") or (node.get("text_resource") or {}).get("text")
        return None if text is None else str(text)
    return None


def _vector(address: Address, vector: Any) -> list[float]:
    """Return the dense vector of a point, which may be one of several that have names."""
    if isinstance(vector, dict):
        dense = {name: v for name, v in vector.items() if isinstance(v, list)}
        if len(dense) != 1:
            names = ", ".join(map(repr, vector)) or "none"
            raise DataError(f"{address.text}: points need one dense vector each, and have {names}.")
        vector = next(iter(dense.values()))
    if not isinstance(vector, list):
        raise DataError(f"{address.text}: a point has no dense vector.")
    return vector
