"""The arms of a mixed search in LangChain: of a vector store, and of words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel, ConfigDict, PrivateAttr

from ..aligner import Aligner
from ..asking import Query
from ..errors import DataError
from ..fusion import Hit
from ..pairs import SIDES, Side
from ._arms import Scale, Words, as_shares, modality_of
from ._field import index_may_need_moving

SCORED = (
    "similarity_search_by_vector_with_relevance_scores",  # Chroma, LanceDB: scores are distances
    "similarity_search_with_score_by_vector",  # FAISS, Qdrant, Milvus
    "_similarity_search_with_score_by_vector",  # the in-memory store
)


class VectorArm(BaseModel):
    """Search a vector store that was filled through the aligner.

    Args:
        vectorstore: the store as it is; its own embedding function is not used.
        name: what metadata and warnings call it; unique among the arms.
        modality: of all its documents; without it each names its own in its metadata.
        modality_field: the metadata field in which it does.
        split: what restricts a search to one modality, as keyword arguments of the store's search
            (``lambda side: {"filter": {"modality": side}}``). A store of both modalities is then
            searched once for each, so that neither can bury the other. ``"auto"`` knows Chroma,
            FAISS, Qdrant, Milvus and the in-memory store; others are searched once, deeper.
        scores: what the store's scores are, one of ``kakehashi.fusion.SCALES``; found out from a
            few documents by default.
        search_kwargs: passed on to the store.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    vectorstore: VectorStore
    name: str = "vectors"
    modality: Side | None = None
    modality_field: str = "modality"
    split: Callable[[Side], dict[str, Any]] | str | None = "auto"
    scores: str | None = None
    search_kwargs: dict[str, Any] = {}
    _bound: tuple[Aligner, Scale, bool] | None = PrivateAttr(default=None)

    def bound(self, aligner: Aligner, *, scored: bool) -> VectorArm:
        """Return this arm for an aligner, whose vectors tell what the store's scores are."""
        if self.split not in ("auto", None) and not callable(self.split):
            raise DataError(f"split={self.split!r}; give a function, 'auto' or None.")
        arm = self.model_copy()
        arm._bound = (aligner, Scale(aligner, self.scores), scored)
        return arm

    def search(self, query: Query, text: str, n: int, options: Mapping[str, Any]) -> list[Hit]:
        """Return at most n hits of each modality, the best first."""
        assert self._bound is not None
        aligner, scale, scored = self._bound
        split = self._split() if self.modality is None else None
        parts: list[dict[str, Any]] = [{}] if split is None else [split(side) for side in SIDES]
        depth = n * 5 if split is None and self.modality is None else n
        found: list[tuple[Document, float | None]] = []
        with index_may_need_moving(aligner, self.modality or "target"):
            for part in parts:
                asked = joined(
                    joined(self.search_kwargs, options, self.vectorstore), part, self.vectorstore
                )
                found += self._searched(query.vector.tolist(), depth, asked)
        hits = [
            Hit(
                key_of(document),
                document,
                modality_of(document.metadata, self.modality_field, self.modality),
                self.name,
                raw,
            )
            for document, raw in found
        ]
        if scored:
            hits = scale.similarities(query, hits, lambda d: str(d.page_content), self.name)
            hits.sort(key=lambda hit: -(hit.similarity or 0.0))
        return hits

    def _searched(
        self, vector: list[float], n: int, options: dict[str, Any]
    ) -> list[tuple[Document, float | None]]:
        store: Any = self.vectorstore
        search = next((getattr(store, name) for name in SCORED if hasattr(store, name)), None)
        if search is None:
            return [(d, None) for d in store.similarity_search_by_vector(vector, k=n, **options)]
        # The in-memory store's gives the stored vector, too.
        return [(row[0], float(row[1])) for row in search(vector, k=n, **options)]

    def _split(self) -> Callable[[Side], dict[str, Any]] | None:
        if self.split != "auto":
            return self.split if callable(self.split) else None
        field = self.modality_field
        kinds = {kind.__name__ for kind in type(self.vectorstore).__mro__}
        if kinds & {"Chroma", "FAISS"}:
            return lambda side: {"filter": {field: side}}
        if "InMemoryVectorStore" in kinds:
            return lambda side: {"filter": lambda document: document.metadata.get(field) == side}
        if "QdrantVectorStore" in kinds:
            return lambda side: {"filter": _qdrant(field, side)}
        if "Milvus" in kinds:
            return lambda side: {"expr": f'{field} == "{side}"'}
        return None


class LexicalArm(BaseModel):
    """Search documents by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        documents: what is searched; the same that the stores hold.
        name, modality, modality_field: as of a :class:`VectorArm`.

    A ``filter`` of the call restricts it, too, where that is a function of a document or a
    dictionary in the way of Chroma.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    documents: list[Document]
    name: str = "words"
    modality: Side | None = None
    modality_field: str = "modality"
    _words: Words | None = PrivateAttr(default=None)

    def bound(self, aligner: Aligner, *, scored: bool) -> LexicalArm:
        """Return this arm with its index."""
        if self._words is None:
            sides = [
                modality_of(document.metadata, self.modality_field, self.modality)
                for document in self.documents
            ]
            self._words = Words([document.page_content for document in self.documents], sides)
        return self

    def search(self, query: Query, text: str, n: int, options: Mapping[str, Any]) -> list[Hit]:
        """Return at most n documents of each modality that share a word, the best first."""
        assert self._words is not None
        allowed = None
        if (given := options.get("filter")) is not None:
            allowed = [permits(given, document) for document in self.documents]
        found = self._words.best(text, n, allowed)
        hits = []
        for row, score in found:
            document = self.documents[row]
            side = modality_of(document.metadata, self.modality_field, self.modality)
            hits.append(Hit(key_of(document), document, side, self.name, score))
        return as_shares(hits)


def key_of(document: Document) -> str:
    """Return what is equal for one document in several stores: a hash of its text.

    Ids are of no use: a store gives its own to a document that the next store, or a list of
    documents, knows without.
    """
    return hashlib.sha256(document.page_content.encode("utf-8", "replace")).hexdigest()


def joined(ours: Mapping[str, Any], given: Mapping[str, Any], store: VectorStore) -> dict[str, Any]:
    """Return the options of both, and a filter that asks for what both filters ask for.

    Raises:
        DataError: two filters that cannot be put together.
    """
    found = {**ours, **given}
    for name in ("filter", "expr"):
        one, other = ours.get(name), given.get(name)
        if one is not None and other is not None:
            found[name] = _both(one, other, store)
    return found


def _both(one: Any, other: Any, store: VectorStore) -> Any:
    if isinstance(one, str) and isinstance(other, str):
        return f"({one}) and ({other})"
    if isinstance(one, dict) and isinstance(other, dict):
        if type(store).__name__ != "Chroma" and not one.keys() & other.keys():
            return {**one, **other}
        return {"$and": [one, other]}
    if callable(one) and callable(other):
        return lambda document: one(document) and other(document)
    if type(one).__name__ == type(other).__name__ == "Filter":  # Qdrant's
        return type(one)(must=[one, other])
    raise DataError(
        f"The filters {one!r} and {other!r} cannot be put together; give both as dictionaries, "
        "functions, expressions or filters of the store, or one that says it all."
    )


def _qdrant(field: str, side: Side) -> Any:
    from qdrant_client import models

    match = models.MatchValue(value=side)
    return models.Filter(must=[models.FieldCondition(key=f"metadata.{field}", match=match)])


_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: bool(a == b),
    "$ne": lambda a, b: bool(a != b),
    "$in": lambda a, b: a in b,
    "$nin": lambda a, b: a not in b,
    "$gt": lambda a, b: a is not None and a > b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$lt": lambda a, b: a is not None and a < b,
    "$lte": lambda a, b: a is not None and a <= b,
}


def permits(given: Any, document: Document) -> bool:
    """Say whether a filter lets a document through: a function, or a dictionary as Chroma's.

    Raises:
        DataError: a filter of another kind, or an operator that is not known.
    """
    if callable(given):
        return bool(given(document))
    if not isinstance(given, dict):
        raise DataError(
            f"A search by words cannot read the filter {given!r}; give a dictionary in the way of "
            "Chroma, or a function of a document."
        )
    return all(_holds(key, wanted, document) for key, wanted in given.items())


def _holds(key: str, wanted: Any, document: Document) -> bool:
    if key in ("$and", "$or"):
        return (all if key == "$and" else any)(permits(part, document) for part in wanted)
    conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    for operator, value in conditions.items():
        if operator not in _COMPARES:
            raise DataError(
                f"A search by words does not know the operator {operator!r}; it knows "
                f"{', '.join(_COMPARES)}, $and and $or."
            )
        if not _COMPARES[operator](document.metadata.get(key), value):
            return False
    return True


def described(documents: Sequence[Any], how: str, failed: Mapping[str, str]) -> Iterator[Document]:
    """Yield copies of the documents whose metadata say how they were found."""
    for fused in documents:
        said = fused.described(how) | ({"failed": dict(failed)} if failed else {})
        document: Document = fused.payload
        yield document.model_copy(update={"metadata": {**document.metadata, "kakehashi": said}})
