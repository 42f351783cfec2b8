"""read_index(): all documents of an index, of a store at hand or at an address, or of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.index import IndexDocuments, as_index
from ..errors import DataError, ReaderError
from ..retrieval.stored_index import StoredDocument, StoredIndex
from .stores.chroma import ChromaIndex
from .stores.reading import read_address
from .stores.rows import IsProjected, documents_of, names_the_source
from .stores.unlisted import UnlistedIndex

_EVERY = 1 << 30
"""More documents than any store here holds."""


def read_index(
    index: Any,
    *,
    column: str = "target",
    learn: int | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> IndexDocuments:
    """Read the documents of an index: a query searches them all, and a fit learns from some.

    Nothing is written, and no text is embedded. Documents of a source modality are projected ones,
    and left out. A store at hand tells how its metadata name them. At an address they are those
    with ``modality: source``.

    Args:
        index: a vector store of LangChain, a ``VectorStoreIndex`` of LlamaIndex or a collection
            of Chroma. Or the address of a store: ``chroma:FOLDER?collection=NAME``,
            ``chroma://HOST:PORT?collection=NAME`` or ``qdrant:...`` in the same forms,
            ``lancedb:FOLDER?collection=TABLE``,
            ``postgres://USER@HOST/DATABASE?table=NAME``, ``llama-index:FOLDER`` (a persisted
            storage), ``langchain:FILE.json`` (the dump of an in-memory store), ``faiss:FOLDER``
            (an index, and a file ``.jsonl`` of id, text and metadata beside it) or
            ``parquet:FILE``, or a folder of such files. Where LanceDB or Parquet has several
            columns of vectors, ``vector=NAME`` says which. The collection may be left out where
            there is only one, and the kind where the folder shows it. Or a file of texts
            (``.txt``, ``.jsonl``, ``.csv``, ``.xlsx``, ...) or of vectors and texts (``.npz``
            with ``target`` and ``target_texts``, and perhaps ``source``: the same texts as the
            source encoder sees them).
        column: of a file: the column or array of the documents.
        learn: how many texts a fit learns from at most, drawn evenly. By default 5,000 where the
            source encoder has to read them.
        encoding, sheet: of a file, as in :func:`kakehashi.read_pairs`.

    Raises:
        ReaderError: a file or a store cannot be read.
        DataError: no such store or collection, a store that lists no documents, or documents that
            cannot be used.
        MissingExtraError: the store's package is not installed.
    """
    if isinstance(index, (str, Path)):
        found = read_address(index, column=column, encoding=encoding, sheet=sheet)
    else:
        found = as_index(index)
    return found if learn is None else replace(found, learn=learn)


def read_store(store: Any) -> IndexDocuments | None:
    """Read the documents of a store of a framework; None where it is none.

    A store that embeds through an aligner tells which metadata name a source modality.

    Raises:
        ReaderError: the store cannot be read.
        DataError: a store that lists no documents, or documents that cannot be used.
    """
    opened = _opened(store)
    if opened is None:
        return None
    if isinstance(opened, UnlistedIndex):
        raise DataError(
            f"{opened.name} lists no documents; save their texts and vectors as an .npz with "
            "target_texts and target, and read it with kakehashi.read_index."
        )
    try:
        rows = opened.sample(_EVERY)
    except Exception as error:  # a store raises whatever its package raises
        said = " ".join(str(error).split())
        raise ReaderError(
            f"{opened.name} cannot be read: {type(error).__name__}: {said:.200}"
        ) from error
    ids = [str(number) for number in range(len(rows))]
    texts, metadata = [row.text for row in rows], [row.metadata for row in rows]
    return documents_of(opened.name, ids, texts, _vectors(rows), metadata, _projected_by(store))


def _opened(store: Any) -> StoredIndex | None:
    """Return the index behind an object of a framework; only its own framework is imported."""
    named = {(each.__module__.partition(".")[0], each.__name__) for each in type(store).__mro__}
    if ("chromadb", "Collection") in named:
        return ChromaIndex(store)
    if ("langchain_core", "VectorStore") in named:
        from .langchain.index import index_of as index_of_store

        return index_of_store(store, 0)
    if ("llama_index", "VectorStoreIndex") in named:
        from .llama_index.index import index_of

        ours = getattr(store, "_embed_model", None)
        return index_of(store, getattr(ours, "text_of", _embedded_text), 0)
    return None


def _projected_by(store: Any) -> IsProjected:
    """Return what tells whether metadata name a modality whose vectors are projected."""
    ours: Any = getattr(store, "embeddings", None) or getattr(store, "_embed_model", None)
    ours = getattr(ours, "underlying_embeddings", ours)  # behind a cache
    if not hasattr(ours, "modality_of_documents"):  # ours of either framework
        return names_the_source
    field, sources = ours.modality_field, ours.aligner.modalities[:-1]
    return lambda metadata: metadata.get(field) in sources


def _embedded_text(node: Any) -> str:
    """Return the text that LlamaIndex embeds of a node."""
    return str(node.get_content(metadata_mode="embed"))


def _vectors(rows: Sequence[StoredDocument]) -> Any:
    """Return the vectors of all rows; None where one has none."""
    vectors = [row.vector for row in rows if row.vector is not None]
    return np.stack(vectors) if vectors and len(vectors) == len(rows) else None
