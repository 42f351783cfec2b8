"""The search of one store by vector, whichever framework reads the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .document_key import MergeParts
from .document_modality import DocumentModality, search_store
from .hits import Hit, SearchResult
from .rescore import Rescorer
from .score_scales import ScoreScale
from .search import SearchRequest
from .second_model.stage import AsHit, SecondStage

ReadPart = Callable[[Any, int], list[Hit]]
"""Returns at most that many hits of a part of a store, as the store scores them. A part is told by
the restriction to it, in the form of the store; None is the whole store."""


@dataclass(frozen=True)
class StoreSearch:
    """What a search by vector needs of an aligner.

    Attributes:
        name: of the search.
        modality: tells the modality of each document.
        scale: makes similarities of the store's scores; None where nothing needs them.
        merge: which hits are one document.
        rescorer: orders the first hits again.
        second: a second model, which orders the first of those once more.
        text_of: returns the embedded text of a payload.
    """

    name: str
    modality: DocumentModality
    scale: ScoreScale | None
    merge: MergeParts
    rescorer: Rescorer
    text_of: Callable[[Any], str]
    second: SecondStage | None = None

    def find(
        self,
        request: SearchRequest,
        n: int,
        read: ReadPart,
        parts_of: Callable[[], Mapping[str, Any]],
        *,
        as_hit: AsHit,
        per_modality: bool,
        rescore: bool = True,
    ) -> SearchResult:
        """Return about n hits of each modality, the best first.

        Args:
            as_hit: makes a hit of a payload that this search did not return.
            parts_of: returns the restriction to each part, by name; none where the store cannot be
                searched by parts. Called where modalities are searched one by one.
            rescore: whether its first hits may be ordered again.
        """

        def find(n: int, at_least: int, by_part: bool) -> SearchResult:
            parts = parts_of() if by_part else {}
            return search_store(
                partial(self._hits, request, read, parts),
                n,
                parts=list(parts),
                modalities=self.modality.possible,
                at_least=at_least,
            )

        if not rescore:
            return find(n, 0, per_modality)
        k = self.n_ordered(request.k)
        n = max(n, k)
        first = self.rescorer.search(request.query, k, find, n, per_modality=per_modality)
        if self.second is None:
            return first
        by_map = partial(self.rescorer.similarities, request.query)
        return self.second.result(request, first, as_hit, by_map)

    def n_ordered(self, k: int) -> int:
        """Return how many documents the first order has to hold, to return k of them."""
        return k if self.second is None else self.second.n_hits(k)

    def _hits(
        self,
        request: SearchRequest,
        read: ReadPart,
        parts: Mapping[str, Any],
        part: str | None,
        depth: int,
    ) -> list[Hit]:
        hits = read(None if part is None else parts[part], depth)
        if self.scale is None:
            return hits
        return self.scale.with_similarities(request.query, hits, self.text_of, self.name)
