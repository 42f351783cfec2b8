"""A collection of Qdrant, as a check reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...retrieval.index_check import StoredDocument
from ...retrieval.index_record import KEY, IndexRecord
from ...vectors import Float32Array

_SCALES = {"Cosine": "similarity", "Dot": "similarity", "Euclid": "l2"}
"""By distance, the scale of Qdrant's scores of unit vectors."""

ReadPayload = Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""Returns the text that was embedded and the metadata, of a payload."""


class QdrantIndex:
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

    def record(self) -> IndexRecord | None:
        """Return the record in the metadata, which servers keep since Qdrant 1.16."""
        config = self._client.get_collection(self._collection).config
        return IndexRecord.from_json((getattr(config, "metadata", None) or {}).get(KEY))

    def write(self, record: IndexRecord) -> bool:
        """Write the record into the metadata, where client and server know some."""
        self._client.update_collection(self._collection, metadata={KEY: record.to_json()})
        return self.record() is not None

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
