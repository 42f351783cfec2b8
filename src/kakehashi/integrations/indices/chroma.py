"""A collection of Chroma, as a check reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...retrieval.index_check import StoredDocument
from ...retrieval.index_record import KEY, IndexRecord
from ...vectors import Float32Array

OUR_FUNCTION = "kakehashi"
"""The name of our embedding function in a collection's configuration."""
_SCALES = {"cosine": "cosine distance", "ip": "cosine distance", "l2": "squared l2"}
"""By metric, the scale of Chroma's distances of unit vectors."""

TextOf = Callable[[str, Mapping[str, Any]], str]
"""Returns the text that was embedded, of the stored text and the stored metadata."""


class ChromaIndex:
    """A collection.

    Args:
        collection: of chromadb.
        text_of: see :data:`TextOf`; the stored text where it is left out.
    """

    def __init__(self, collection: Any, text_of: TextOf | None = None) -> None:
        self._collection = collection
        self._text_of = text_of or (lambda text, metadata: text)

    @property
    def name(self) -> str:
        """The name of the collection."""
        return f"The collection {self._collection.name!r} of Chroma"

    @property
    def metric(self) -> str | None:
        """The metric of the collection: cosine, ip or l2."""
        configuration = self._collection.configuration_json
        kinds = (configuration.get(kind) or {} for kind in ("hnsw", "spann"))
        return next((kind["space"] for kind in kinds if kind.get("space")), None)

    @property
    def scale(self) -> str | None:
        """The scale of its distances."""
        return _SCALES.get(self.metric or "")

    @property
    def by_cosine(self) -> bool:
        """Whether it ranks by cosine."""
        return self.metric == "cosine"

    def record(self) -> IndexRecord | None:
        """Return the record in the metadata, or in the configuration of our embedding function."""
        function = self._collection.configuration_json.get("embedding_function") or {}
        if function.get("name") == OUR_FUNCTION:
            config = function["config"]
            stated = IndexRecord.from_json(config.get("record"))
            # Collections of older releases name the fingerprint only.
            return stated or IndexRecord(config["fingerprint"], "", 0, "", "", "")
        return IndexRecord.from_json((self._collection.metadata or {}).get(KEY))

    def write(self, record: IndexRecord) -> bool:
        """Write the record beside the metadata that are there.

        Chroma replaces all metadata at once. It refuses a metric among them, which the
        configuration holds since Chroma 1.0.
        """
        there = self._collection.metadata or {}
        kept = {name: value for name, value in there.items() if not name.startswith("hnsw:")}
        self._collection.modify(metadata={**kept, KEY: record.to_json()})
        return True

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return documents from the beginning and from the end of the collection."""
        include = ["documents", "metadatas", "embeddings"]
        count = self._collection.count()
        pages = [(0, n)] if count <= n else [(0, n // 2), (count - n // 2, n // 2)]
        documents = []
        for offset, limit in pages:
            page = self._collection.get(limit=limit, offset=offset, include=include)
            rows = zip(page["documents"], page["metadatas"], page["embeddings"], strict=True)
            for text, metadata, vector in rows:
                known = dict(metadata or {})
                stored = np.asarray(vector, np.float32)
                documents.append(StoredDocument(self._text_of(text or "", known), known, stored))
        return documents

    def nearest(self, vector: Float32Array) -> str | None:
        """Never asked: the collection returns vectors."""
        raise NotImplementedError
