"""Rescoring of a search: its first hits are ordered again, by their stored vectors.

A stored document of the target modality is the target encoder's own vector. The second map of the
aligner (:mod:`kakehashi.projection.rescoring`) projects it, and the query. Their inner product is
the similarity that everything after this reads: fusion, calibration, thresholds. Documents of
other modalities keep their places and their scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..data.arguments import is_whole
from ..errors import DataError
from ..projection.rescoring import MAX_HITS
from ..vectors import Float32Array
from .hits import Hit, SearchResult
from .query import Query
from .second_similarity import RescoringSpace, SecondSimilarity

Rescore = bool | int
"""True for as many hits as the fit chose, a number of hits, or False."""
Find = Callable[[int, int, bool], SearchResult]
"""Searches a store for n hits of each modality, and for so many at least; each modality by itself
where told so."""

_MAX_ROUNDS, _DEPTH_FACTOR = 3, 4
"""Searches for enough hits of the target, where another modality buries them."""


def check_rescore(rescore: Any) -> Rescore:
    """Return True, False or a number of hits.

    Raises:
        DataError: another value.
    """
    if not isinstance(rescore, bool) and not (is_whole(rescore) and 1 <= rescore <= MAX_HITS):
        raise DataError(
            f"rescore={rescore!r:.40}; give True, False, or a number of hits, 1 to {MAX_HITS}."
        )
    return rescore if isinstance(rescore, bool) else int(rescore)


def _has_map(space: RescoringSpace) -> bool:
    return any(space.rescoring_of(modality) is not None for modality in space.modalities)


class Rescorer:
    """Orders the hits of one search again.

    Args:
        similarity: of a query and the hits of the search, by the second map.
        rescore: see :data:`Rescore`.

    Raises:
        DataError: another ``rescore``; or a number, and the aligner has no second map.
    """

    def __init__(self, similarity: SecondSimilarity, rescore: Any) -> None:
        self._similarity, self._rescore = similarity, check_rescore(rescore)
        self._space, self._target = similarity.space, similarity.target
        if not isinstance(self._rescore, bool) and not _has_map(self._space):
            raise DataError(
                f"rescore={rescore}: this aligner holds no second map, so it cannot rescore. Leave "
                "rescore out; or fit again with mode='keep', where rescoring was shown to help."
            )

    @property
    def active(self) -> bool:
        """Whether it orders the hits of any query again."""
        return _has_map(self._space) and self._similarity.can and self._rescore is not False

    @property
    def turned_off(self) -> bool:
        """Whether there is a second map, and the caller does not want it."""
        return _has_map(self._space) and self._rescore is False

    def n_hits(self, query: Query, k: int) -> int:
        """Return how many documents are ordered again to return k of them; 0 for none."""
        rescoring = self._space.rescoring_of(query.modality)
        if rescoring is None or query.rescoring is None or not self.active:
            return 0
        chosen = rescoring.n_hits if self._rescore is True else self._rescore
        return max(chosen, k)

    def search(
        self, query: Query, k: int, find: Find, n: int, *, per_modality: bool
    ) -> SearchResult:
        """Search until there are enough documents of the target, and order them again.

        The result holds no other documents of the target than those, and says so: fusion takes the
        list for all that the store holds.

        Args:
            find: searches the store.
            n: wanted hits of each modality.
            per_modality: search each modality by itself.
        """
        wanted, depth = self.n_hits(query, k), n
        result = find(n, wanted, per_modality)
        if not wanted:
            return result
        for _ in range(_MAX_ROUNDS - 1):
            if self._target not in result.last_hits or self._enough(result.hits, wanted):
                break
            depth *= _DEPTH_FACTOR
            result = find(depth, wanted * self._copies(result.hits), True)
        hits = self.rescored(query, self._first(result.hits, wanted))
        if hits is None:
            return result
        last_hits = dict(result.last_hits)
        worse = last_hits.pop(self._target, None)
        if worse is not None and not self._enough(hits, wanted):
            found = [hit for hit in hits if hit.modality == self._target]
            last_hits[self._target] = found[-1] if found else worse
        return result._replace(hits=hits, last_hits=last_hits)

    def rescored(self, query: Query, hits: Sequence[Hit]) -> list[Hit] | None:
        """Return the hits with those of the target in their new order, at the places they had.

        Returns:
            None where there is nothing to rescore by. A warning says so; without a target encoder,
            nothing is tried again.
        """
        places = [row for row, hit in enumerate(hits) if hit.modality == self._target]
        targets = [hits[row] for row in places]
        similarities = self._similarity.of(query, targets)
        if similarities is None:
            return None
        ordered = list(hits)
        order = np.argsort(-similarities, kind="stable")
        for place, row in zip(places, order, strict=True):
            hit = targets[row]
            ordered[place] = hit._replace(
                similarity=float(similarities[row]), rescored=True, unrescored=hit.similarity
            )
        return ordered

    def similarities(self, query: Query, hits: Sequence[Hit]) -> Float32Array | None:
        """Return the similarities of n hits of the store by the second map, (n,).

        Returns:
            None where the query is not rescored, or a hit is not of the target. A warning says
            where the stored vectors are not at hand.
        """
        if not self.n_hits(query, 1) or any(hit.modality != self._target for hit in hits):
            return None
        return self._similarity.of(query, hits)

    def _first(self, hits: Sequence[Hit], wanted: int) -> list[Hit]:
        """Return the hits without those of the target beyond the first documents."""
        kept = set(self._documents(hits)[:wanted])
        return [hit for hit in hits if hit.modality != self._target or hit.key in kept]

    def _enough(self, hits: Sequence[Hit], wanted: int) -> bool:
        return len(self._documents(hits)) >= wanted

    def _copies(self, hits: Sequence[Hit]) -> int:
        """Return how often a document of the target is stored, on average, rounded up."""
        n_hits = sum(hit.modality == self._target for hit in hits)
        return max(1, -(-n_hits // max(1, len(self._documents(hits)))))

    def _documents(self, hits: Sequence[Hit]) -> list[str]:
        """Return the keys of the documents of the target, the best first."""
        return list(dict.fromkeys(hit.key for hit in hits if hit.modality == self._target))
