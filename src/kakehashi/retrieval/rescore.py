"""Rescoring of a search: its first hits are ordered again, by their stored vectors.

A stored document of the target modality is the target encoder's own vector. The second map of the
aligner (:mod:`kakehashi.projection.rescoring`) projects it, and the query. Their inner product is
the similarity that everything after this reads: fusion, calibration, thresholds. Documents of
other modalities keep their places and their scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..data.arguments import is_whole
from ..errors import DataError, DegradedWarning, EncoderError, EncoderMismatchError
from ..projection.rescoring import MAX_HITS, Rescoring
from ..vectors import Float32Array
from .hits import Hit, SearchResult
from .projected_documents import PROJECTED, keys_of
from .query import EmbeddingSpace, Query

Rescore = bool | int
"""True for as many hits as the fit chose, a number of hits, or False."""
StoredVectors = Callable[[Sequence[Any]], Sequence[Any]]
"""Returns the stored vector of each payload of a search; None where the store gives none."""
Find = Callable[[int, int, bool], SearchResult]
"""Searches a store for n hits of each modality, and for so many at least; each modality by itself
where told so."""

_MAX_ROUNDS, _DEPTH_FACTOR = 3, 4
"""Searches for enough hits of the target, where another modality buries them."""


class RescoringSpace(EmbeddingSpace, Protocol):
    """An aligner or a multi aligner, with its second maps."""

    def rescoring_of(self, modality: str) -> Rescoring | None:
        """Return the rescoring of queries of a modality, if there is one."""
        ...


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


def _check_possible(space: RescoringSpace, rescore: Rescore) -> None:
    """Raise DataError where a number of hits was asked for, and the aligner has no second map."""
    asked = not isinstance(rescore, bool)
    if asked and not _has_map(space):
        raise DataError(
            f"rescore={rescore}: this aligner holds no second map, so it cannot rescore. Leave "
            "rescore out; or fit again with mode='keep', where rescoring was shown to help."
        )


class Rescorer:
    """Orders the hits of one search again.

    Args:
        space: the aligner or multi aligner.
        rescore: see :data:`Rescore`.
        vectors_of: see :data:`StoredVectors`; asked for hits that hold no vector themselves.
        text_of: returns the embedded text of a payload.
        search: name of the search, for messages.
        store: name of the store, for messages.

    Raises:
        DataError: another ``rescore``; or a number, and the aligner has no second map.
    """

    def __init__(
        self,
        space: RescoringSpace,
        rescore: Any,
        vectors_of: StoredVectors,
        text_of: Callable[[Any], str],
        *,
        search: str,
        store: str,
    ) -> None:
        self._space, self._rescore = space, check_rescore(rescore)
        _check_possible(space, self._rescore)
        self._vectors_of, self._text_of = vectors_of, text_of
        self._search, self._store = search, store
        self._target = space.modalities[-1]
        self._can = True

    @property
    def active(self) -> bool:
        """Whether it orders the hits of any query again."""
        return _has_map(self._space) and self._can and self._rescore is not False

    @property
    def turned_off(self) -> bool:
        """Whether there is a second map, and the caller does not want it."""
        return _has_map(self._space) and self._rescore is False

    def n_hits(self, query: Query, k: int) -> int:
        """Return how many documents are ordered again to return k of them; 0 for none."""
        rescoring = self._space.rescoring_of(query.modality)
        if rescoring is None or query.rescoring is None or not self._rescore or not self._can:
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
        similarities = self._similarities(query, targets)
        if similarities is None:
            return None
        ordered = list(hits)
        order = np.argsort(-similarities, kind="stable")
        for place, row in zip(places, order, strict=True):
            hit = targets[row]
            ordered[place] = hit._replace(
                similarity=float(similarities[row]), unrescored=hit.similarity
            )
        return ordered

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

    def _similarities(self, query: Query, hits: Sequence[Hit]) -> Float32Array | None:
        """Return the inner products of n hits with the query, (n,) float32; None if unknown."""
        if not hits:
            return np.empty(0, np.float32)
        rescoring = self._space.rescoring_of(query.modality)
        assert rescoring is not None
        assert query.rescoring is not None
        vectors = self._stored(hits)
        reads = rescoring.reads("target")
        texts = [  # a framework takes its time to tell one
            self._text_of(hit.payload) if reads or vector is None else ""
            for hit, vector in zip(hits, vectors, strict=True)
        ]
        keys = keys_of(rescoring.fingerprint, texts, vectors)
        known = PROJECTED.get(keys)
        new = {key: row for row, key in enumerate(keys) if key not in known}
        if new:
            rows = list(new.values())
            given = self._complete([vectors[row] for row in rows], [texts[row] for row in rows])
            if given is None:
                return None
            of_new = [texts[row] for row in rows] if reads else None
            projected = rescoring.documents(given, texts=of_new)
            made = dict(zip(new, projected, strict=True))
            PROJECTED.put(made)
            known |= made
        similarities: Float32Array = np.stack([known[key] for key in keys]) @ query.rescoring
        return similarities

    def _stored(self, hits: Sequence[Hit]) -> list[Float32Array | None]:
        """Return the stored vector of each hit; None where it has none that can be projected."""
        vectors: list[Any] = [hit.vector for hit in hits]
        missing = [row for row, vector in enumerate(vectors) if vector is None]
        if missing:
            found = self._vectors_of([hits[row].payload for row in missing])
            for row, vector in zip(missing, found, strict=True):
                vectors[row] = vector
        arrays = [None if v is None else np.asarray(v, np.float32) for v in vectors]
        return [v if v is not None and 0 < float(v @ v) < np.inf else None for v in arrays]

    def _complete(
        self, vectors: Sequence[Float32Array | None], texts: Sequence[str]
    ) -> Float32Array | None:
        """Return (n, d) vectors, of the target encoder where the store gives none."""
        missing = [row for row, vector in enumerate(vectors) if vector is None]
        if not missing:
            return np.stack([vector for vector in vectors if vector is not None])
        try:
            embedded = self._space.embed_documents(
                [texts[row] for row in missing], modality=self._target
            )
        except EncoderMismatchError:
            raise
        except Exception as error:  # of any service; the first order is an answer, too
            self._warn(error)
            self._can = not isinstance(error, EncoderError)
            return None
        filled = list(vectors)
        for row, vector in zip(missing, embedded, strict=True):
            filled[row] = vector
        return np.stack([vector for vector in filled if vector is not None])

    def _warn(self, error: Exception) -> None:
        reason = "there is no target encoder to make them"
        if not isinstance(error, EncoderError):
            reason = "the target encoder failed to make them"
        warnings.warn(
            f"The search {self._search!r} is not rescored: {self._store} gives no stored vectors "
            f"of its hits, and {reason}. Give the aligner one that does, "
            "aligner.with_encoders(target_encoder=...); or say rescore=False. "
            f"({type(error).__name__}: {error})",
            DegradedWarning,
            stacklevel=2,
        )
