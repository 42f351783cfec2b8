"""One search of a hybrid search, and what it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..data.arguments import is_whole
from ..errors import DataError
from .hits import SearchResult
from .query import Query

_MAX_K = 1_000_000


@dataclass(frozen=True)
class SearchRequest:
    """A query of a hybrid search, the same for all its searches.

    Attributes:
        query: the vector and the modality of the query.
        text: the query itself.
        k: documents that the hybrid search returns.
        options: of the call, such as a filter, in the words of the framework.

    Raises:
        DataError: k is no number of documents.
    """

    query: Query
    text: str
    k: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the number of documents."""
        object.__setattr__(self, "k", check_k(self.k))


class Search(Protocol):
    """One of the searches of a hybrid search."""

    @property
    def name(self) -> str:
        """Its name in metadata, weights and warnings."""

    @property
    def by_vector(self) -> bool:
        """Whether it searches by vector, and not by words."""

    @property
    def not_rescored(self) -> bool:
        """Whether the caller turned off the rescoring of which the calibration was learned."""

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return about n hits of each modality, the best first.

        Args:
            per_modality: search each modality by itself, where the store can. The first round
                searches all documents at once.
        """
        ...


def check_k(k: Any, name: str = "k") -> int:
    """Return the number of documents as an int; raise DataError for any other value."""
    if not is_whole(k) or not 1 <= k <= _MAX_K:
        raise DataError(f"{name}={k!r}; ask for a whole number of documents, 1 to {_MAX_K}.")
    return int(k)
