"""LangChain: documents of a store by their ids, as far as a filter lets them through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import Payloads, SecondStage
from .filters import joined, kind_of
from .postgres import KINDS as POSTGRES
from .postgres import lets_through

_OF_QDRANT = "_id"


def second_stage(
    store: VectorStore, model: SecondModel | None, search_kwargs: Mapping[str, Any]
) -> SecondStage | None:
    """Return a second model over the documents of a store; None without one.

    Args:
        search_kwargs: options of the search, which those of a call join.
    """
    if model is None:
        return None

    # No closure: a retriever that holds this is pickled.
    by_ids = partial(_by_ids, store, search_kwargs)
    return SecondStage(model, Payloads(_text_of, id_of, by_ids))


def _by_ids(
    store: VectorStore,
    search_kwargs: Mapping[str, Any],
    ids: Sequence[str],
    options: Mapping[str, Any],
) -> Sequence[Document]:
    return documents_by_ids(store, ids, joined(store, search_kwargs, options))


def id_of(document: Document) -> str | None:
    """Return the id of a document in its store; Qdrant tells it among the metadata only."""
    name = document.id or document.metadata.get(_OF_QDRANT)
    return None if name is None else str(name)


def documents_by_ids(
    store: Any, ids: Sequence[str], options: Mapping[str, Any]
) -> Sequence[Document]:
    """Return the documents of these ids that are there, and that a filter lets through.

    Args:
        options: of a search, in the form of the store. Where they cannot be applied to documents
            at hand, there are none.
    """
    kind, wanted = kind_of(store) or "", options.get("filter")
    others = [name for name, value in options.items() if name != "filter" and value is not None]
    if others:
        return []
    if kind in _BY_KIND:
        return _BY_KIND[kind](store, ids, wanted)
    if wanted is not None and kind not in _LETS_THROUGH:
        return []
    try:
        found = store.get_by_ids(list(ids))
    except NotImplementedError:
        return []
    if wanted is None:
        return list(found)
    lets_through = _LETS_THROUGH[kind]
    return [document for document in found if lets_through(wanted, document)]


def _of_chroma(store: Any, ids: Sequence[str], wanted: Any) -> Sequence[Document]:
    page = store._collection.get(list(ids), where=wanted, include=["documents", "metadatas"])
    columns = (page["ids"], page["documents"], page["metadatas"])
    return [
        Document(text, metadata=metadata or {}, id=name)
        for name, text, metadata in zip(*columns, strict=True)
        if text is not None
    ]


def _of_qdrant(store: Any, ids: Sequence[str], wanted: Any) -> Sequence[Document]:
    from qdrant_client import models

    must = [models.HasIdCondition(has_id=list(ids)), *([] if wanted is None else [wanted])]
    name, keys = store.collection_name, (store.content_payload_key, store.metadata_payload_key)
    page, _ = store.client.scroll(
        name, scroll_filter=models.Filter(must=must), limit=len(ids), with_payload=True
    )
    return [store._document_from_point(point, name, *keys) for point in page]


_BY_KIND: Mapping[str, Callable[[Any, Sequence[str], Any], Sequence[Document]]] = {
    "Chroma": _of_chroma,
    "QdrantVectorStore": _of_qdrant,
}
_LETS_THROUGH: Mapping[str, Callable[[Any, Document], bool]] = {
    "FAISS": lambda wanted, document: bool(wanted(document.metadata)),
    "InMemoryVectorStore": lambda wanted, document: bool(wanted(document)),
    **dict.fromkeys(POSTGRES, lambda wanted, document: lets_through(wanted, document.metadata)),
}


def _text_of(document: Document) -> str:
    return str(document.page_content)
