"""The search of one part of an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import KakehashiError
from ..hits import Hit, SearchResult
from ..query import Query
from ..search import Search, SearchRequest


@dataclass(frozen=True)
class PartSearch:
    """The search of a part, asked with a query of its own.

    Attributes:
        asked: the search itself.
        query: as the aligner of the part projects it.
        truth: says of each document whether the part that is the truth holds it; None for a part
            that is no copy.
        rescored: whether each hit of the target has to be scored by the second map.
    """

    asked: Search
    query: Query
    truth: Callable[[Sequence[Any]], Sequence[bool]] | None = None
    rescored: bool = False
    by_vector = True

    @property
    def name(self) -> str:
        """The name of the part."""
        return self.asked.name

    @property
    def not_rescored(self) -> bool:
        """Whether the caller turned off the rescoring."""
        return self.asked.not_rescored

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return about n hits of each modality, the best first.

        Raises:
            KakehashiError: the hits could not be rescored, so they are on another scale.
        """
        asking = replace(request, query=self.query)
        result = self.asked.find(asking, n, per_modality=per_modality)
        if self.rescored and any(map(_is_unrescored, result.hits)):
            raise KakehashiError(
                f"The hits of the part {self.name!r} could not be rescored, and without that their "
                "scores do not compare with those of the moved part: its store gives no stored "
                "vectors. Give its aligner the target encoder: "
                "aligner.with_encoders(target_encoder=...)."
            )
        if self.truth is None or not result.hits:
            return result
        held = self.truth([hit.payload for hit in result.hits])
        kept = [hit for hit, is_there in zip(result.hits, held, strict=True) if is_there]
        return result._replace(hits=kept)


def _is_unrescored(hit: Hit) -> bool:
    return hit.modality == "target" and hit.unrescored is None
