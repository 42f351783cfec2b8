"""Qdrant: a collection at hand, as a check reads it, and the documents of one at an address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError
from ...retrieval.stored_index import StoredDocument
from ...vectors import Float32Array
from .address import Address
from .keeping import KeepingIndex
from .qdrant_clients import opened_qdrant
from .rows import documents_of, is_node_of_llama_index

_SCALES = {"Cosine": "similarity", "Dot": "similarity", "Euclid": "l2"}
"""By distance, the scale of Qdrant's scores of unit vectors."""
_PAGE = 1000
_TEXT_FIELDS = ("page_content", "text", "document")
"""Of a payload, as LangChain, LlamaIndex and Qdrant's own client write it."""

ReadPayload = Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""Returns the text that was embedded and the metadata, of a payload."""


class QdrantIndex(KeepingIndex):
    """A collection.

    Args:
        client: of qdrant-client.
        collection: its name.
        read_payload: see :data:`ReadPayload`.
        vector_name: of the dense vectors; empty where they have none.
    """

    def __init__(
        self, client: Any, collection: str, read_payload: ReadPayload, vector_name: str = ""
    ) -> None:
        self._client, self._collection, self._vector_name = client, collection, vector_name
        self.collection = collection
        self._read_payload = read_payload

    @property
    def name(self) -> str:
        """The name of the collection."""
        return f"The collection {self._collection!r} of Qdrant"

    @property
    def scale(self) -> str | None:
        """The scale of its scores."""
        return _SCALES.get(self._distance)

    @property
    def by_cosine(self) -> bool:
        """Whether it ranks by cosine."""
        return self._distance == "Cosine"

    @property
    def _distance(self) -> str:
        vectors = self._client.get_collection(self._collection).config.params.vectors
        if isinstance(vectors, dict):
            vectors = vectors.get(self._vector_name)
        return str(getattr(getattr(vectors, "distance", None), "value", ""))

    def kept(self, key: str) -> str | None:
        """Return the text under a key of the metadata, which servers keep since Qdrant 1.16."""
        config = self._client.get_collection(self._collection).config
        value: str | None = (getattr(config, "metadata", None) or {}).get(key)
        return value

    def keep(self, key: str, value: str) -> bool:
        """Write a text into the metadata, which merge, where client and server know some."""
        self._client.update_collection(self._collection, metadata={key: value})
        return self.kept(key) == value

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return the first documents by id: ids are random, as frameworks make them."""
        points, _ = self._client.scroll(
            self._collection, limit=n, with_payload=True, with_vectors=True
        )
        documents = []
        for point in points:
            text, metadata = self._read_payload(point.payload or {})
            vector = self._dense(point.vector)
            stored = None if vector is None else np.asarray(vector, np.float32)
            documents.append(StoredDocument(text, metadata, stored))
        return documents

    def _dense(self, vector: Any) -> Any:
        return vector.get(self._vector_name) if isinstance(vector, dict) else vector

    def nearest(self, vector: Float32Array) -> str | None:
        """Return the text of the nearest document."""
        found = self._client.query_points(
            self._collection,
            query=vector.tolist(),
            using=self._vector_name or None,
            limit=1,
            with_payload=True,
        )
        return self._read_payload(found.points[0].payload or {})[0] if found.points else None


def vectors_in_qdrant(
    client: Any, collection: str, ids: Sequence[Any], vector_name: str = ""
) -> list[Any]:
    """Return the stored dense vector of each id of a collection; None where there is none."""
    known = [each for each in dict.fromkeys(ids) if each is not None]
    if not known:
        return [None] * len(ids)
    wanted = [vector_name] if vector_name else True
    points = client.retrieve(collection, known, with_payload=False, with_vectors=wanted)
    found = {str(point.id): point.vector for point in points}
    vectors = (found.get(str(each)) for each in ids)
    return [v.get(vector_name) if isinstance(v, dict) else v for v in vectors]


def read_qdrant(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a collection, page by page."""
    points: list[Any] = []
    offset: Any = None
    with opened_qdrant(address) as (client, name):
        while True:
            page, offset = client.scroll(
                name, limit=_PAGE, offset=offset, with_payload=True, with_vectors=True
            )
            points += page
            if offset is None:
                break
    ids = [str(point.id) for point in points]
    texts = [text_of(point.payload or {}) for point in points]
    vectors = [_vector(address, point.vector) for point in points]
    metadata = [metadata_of(point.payload or {}) for point in points]
    stored = np.array(vectors, np.float32) if ids else None
    return documents_of(address.text, ids, texts, stored, metadata)


def text_of(payload: Mapping[str, Any]) -> str | None:
    """Return the text of a payload; None where it has none."""
    for field in _TEXT_FIELDS:
        if isinstance(payload.get(field), str):
            return str(payload[field])
    if is_node_of_llama_index(payload):
        node = json.loads(payload["_node_content"])
        text = node.get("text") or (node.get("text_resource") or {}).get("text")
        return None if text is None else str(text)
    return None


def metadata_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a document: LangChain has a field for them."""
    own = payload.get("metadata")
    return own if isinstance(own, dict) else payload


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
