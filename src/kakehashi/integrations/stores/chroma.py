"""Chroma: a collection at hand, as a check reads it, and the documents of one at an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError, MissingExtraError
from ...retrieval.index_record import IndexRecord
from ...retrieval.stored_index import StoredDocument
from .address import Address
from .keeping import KeepingIndex
from .rows import documents_of

OUR_FUNCTION = "kakehashi"
"""The name of our embedding function in a collection's configuration."""
_SCALES = {"cosine": "cosine distance", "ip": "cosine distance", "l2": "squared l2"}
"""By metric, the scale of Chroma's distances of unit vectors."""
_PAGE = 1000

TextOf = Callable[[str, Mapping[str, Any]], str]
"""Returns the text that was embedded, of the stored text and the stored metadata."""


class ChromaIndex(KeepingIndex):
    """A collection.

    Args:
        collection: of chromadb.
        text_of: see :data:`TextOf`; the stored text where it is left out.
    """

    def __init__(self, collection: Any, text_of: TextOf | None = None) -> None:
        self._collection, self.collection = collection, collection.name
        self._text_of = text_of or (lambda text, metadata: text)

    @property
    def name(self) -> str:
        """The name of the collection."""
        return f"The collection {self._collection.name!r} of Chroma"

    def identity(self) -> str | None:
        """Return the id that Chroma gave the collection."""
        return str(self._collection.id)

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
        return super().record()

    def kept(self, key: str) -> str | None:
        """Return the text under a key of the metadata."""
        return self._metadata().get(key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the metadata that are there.

        Chroma replaces all metadata at once. It refuses a metric among them, which the
        configuration holds since Chroma 1.0.
        """
        there = self._metadata()
        kept = {name: text for name, text in there.items() if not name.startswith("hnsw:")}
        self._collection.modify(metadata={**kept, key: value})
        return True

    def _metadata(self) -> Mapping[str, Any]:
        """Return the metadata as they are now: the collection at hand remembers its first ones."""
        at = self._collection
        named = {"name": at.name, "tenant": at.tenant, "database": at.database}
        return at._client.get_collection(**named).metadata or {}

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


def vectors_in_chroma(collection: Any, ids: Sequence[str | None]) -> list[Any]:
    """Return the stored vector of each id of a collection; None where there is none."""
    known = [name for name in dict.fromkeys(ids) if name is not None]
    if not known:
        return [None] * len(ids)
    page = collection.get(ids=known, include=["embeddings"])
    found = dict(zip(page["ids"], page["embeddings"], strict=True))
    return [None if name is None else found.get(name) for name in ids]


def opened_chroma(address: Address) -> tuple[Any, str]:
    """Return a client of a folder or of a server, and the name of the collection.

    Raises:
        DataError: the folder is none (a client would make a new database there), or no such
            collection.
        MissingExtraError: chromadb is not installed.
    """
    try:
        import chromadb
    except ImportError as error:
        raise MissingExtraError("chromadb", "chroma") from error
    if address.server is not None:
        host, port = address.server
        client = chromadb.HttpClient(host, 8000 if port is None else port)
    else:
        folder = address.required_folder()
        if not (folder / "chroma.sqlite3").is_file():
            raise DataError(f"{address.text}: {folder} holds no database of Chroma.")
        client = chromadb.PersistentClient(str(folder))
    return client, address.collection_of([each.name for each in client.list_collections()])


def read_chroma(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a collection, page by page."""
    client, name = opened_chroma(address)
    # Its own embedding function is not loaded: nothing is embedded here.
    collection = client.get_collection(name, embedding_function=None)
    ids: list[str] = []
    texts: list[str | None] = []
    metadata: list[Mapping[str, Any] | None] = []
    vectors: list[Any] = []
    include = ["documents", "metadatas", "embeddings"]
    while True:
        page = collection.get(limit=_PAGE, offset=len(ids), include=include)
        if not page["ids"]:
            break
        ids += page["ids"]
        texts += page["documents"]
        metadata += page["metadatas"]
        vectors.append(np.asarray(page["embeddings"], np.float32))
    stored = np.concatenate(vectors) if vectors else None
    return documents_of(address.text, ids, texts, stored, metadata)
