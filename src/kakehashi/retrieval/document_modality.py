"""The modality of each document of a store, and how to search a store by modality.

The framework modules know how to search a store and how to read a document.
:mod:`kakehashi.retrieval.hybrid_search` decides when to search deeper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import DataError
from .hits import Hit, SearchResult
from .query import AUTO, EmbeddingSpace, modalities_of

_MIXED_DEPTH_FACTOR = 5
"""A search over all modalities at once goes this many times deeper."""
_MAX_REMEMBERED = 100_000
"""Texts of which a search remembers the routed modality."""


class DocumentModality:
    """Tells the modality of the documents of one search.

    Args:
        search: its name, for the error.
        space: the aligner or multi aligner that embedded the documents.
        declared_modality: of all documents; None where the metadata of each document name it.
        field: the metadata field that names it.
        without_modality: modality of a document whose metadata name none; ``"auto"`` lets the
            router read its text, as it was embedded where the same object embedded it.

    Attributes:
        key: equal for equal rules.
        modalities: all modalities of the space.
        possible: modalities that documents of this search may have.

    Raises:
        DataError: a declared modality that the space has not.
    """

    def __init__(
        self,
        search: str,
        space: EmbeddingSpace,
        declared_modality: str | None,
        field: str,
        without_modality: str,
    ) -> None:
        if declared_modality is not None and declared_modality not in space.modalities:
            raise DataError(
                f"the search {search!r} has modality={declared_modality!r}; choose one of "
                f"{', '.join(space.modalities)}."
            )
        self.key = (declared_modality, field, without_modality)
        self.modalities = space.modalities
        self.possible = space.modalities if declared_modality is None else (declared_modality,)
        self._space, self._declared_modality = space, declared_modality
        self._field, self._without_modality = field, without_modality
        self._routed: dict[str, str] = {}

    def of(self, metadata: Mapping[str, Any], text_of: Callable[[], str]) -> str | None:
        """Return the modality of a document; None where its metadata name an unknown one.

        Args:
            text_of: returns the text of the document; called only where the router reads it.
        """
        modality = self._declared_modality or metadata.get(self._field)
        if modality is None or modality == "":
            if self._without_modality == AUTO:
                return self._route(text_of())
            return self._without_modality
        return modality if modality in self.modalities else None

    def _route(self, text: str) -> str:
        modality = self._routed.get(text)
        if modality is None:
            [modality] = modalities_of(self._space, [text])
            if len(self._routed) < _MAX_REMEMBERED:
                self._routed[text] = modality
        return modality

    def parts(self, needs_similarity: bool) -> dict[str, str | None]:
        """Divide a store into parts by the modality that metadata name.

        Returns:
            by name of the part, the value of the metadata field. The value of the last part is
            None: it holds all other documents, which are without a modality. Empty where the
            router reads those documents and nothing needs similarities: they may be of any
            modality, and only a similarity tells their place among the others.
        """
        if self._without_modality == AUTO and not needs_similarity:
            return {}
        named = [name for name in self.modalities if name != self._without_modality]
        return {**dict(zip(named, named, strict=True)), self._without_modality: None}


def search_store(
    search: Callable[[str | None, int], list[Hit]],
    n: int,
    *,
    parts: Sequence[str] = (),
    modalities: Sequence[str],
    at_least: int = 0,
) -> SearchResult:
    """Search a store as a whole, or each of its parts by itself.

    Args:
        search: returns at most that many hits of a part; of the whole store where the part is None.
        n: wanted hits of each modality.
        parts: the parts to search, each by itself; none for the whole store.
        modalities: the modalities that documents of the store may have.
        at_least: wanted hits of the whole store, or of each part.
    """
    hits: list[Hit] = []
    last_hits: dict[str, Hit] = {}
    depth = n if parts or len(modalities) == 1 else n * _MIXED_DEPTH_FACTOR
    depth = max(depth, at_least)
    searched_parts: Sequence[str | None] = parts or [None]
    for part in searched_parts:
        part_hits = search(part, depth)
        hits += part_hits
        if len(part_hits) < depth:
            continue  # the part holds no more
        for modality in modalities if part is None or part not in modalities else (part,):
            # A part of documents without a modality may hold any: the more similar end counts.
            ends = last_hits.get(modality, part_hits[-1]), part_hits[-1]
            last_hits[modality] = max(ends, key=lambda hit: hit.similarity or 0.0)
    hits.sort(key=lambda hit: -(hit.similarity or 0.0))  # hits without similarity keep their order
    return SearchResult(hits, last_hits)
