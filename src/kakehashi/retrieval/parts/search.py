"""An index that lies in several parts, each with an aligner of its own, answers with one list.

During a migration, the old collection and the new one are such parts. The scores of an aligner that
rescores are inner products of its second map. So are those of the moved vectors, which the same map
has projected. Parts of other aligners compare by probability (:mod:`.fusion`). Which parts
answer follows the notes of migrations (:mod:`..move_following`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from ...data.arguments import check_choice
from ...errors import DataError
from ..answer_probability import MinScore
from ..document_key import MergeParts
from ..hybrid_search import HybridResult, HybridSearch, OnError
from ..merging import Fusion
from ..move_following import MoveFollower, Standing
from ..query import Query
from ..search import Search, SearchRequest
from ..search_threads import in_search_thread
from .fusion import FirstOfDoubles
from .part import Part
from .part_search import PartSearch
from .queries import Question, aqueries_of, queries_of
from .scales import PartScales


class PartsSearch:
    """Searches the parts that answer, and makes one list.

    Args:
        parts: in their order; of a document that several hold, the first one counts.
        fusion: ``"calibrated"`` or ``"rank"``.
        on_error: as of :class:`.HybridSearch`.
        timeout: seconds for each part.
        merge: which hits are one document.
        follow_every: seconds between two readings of the notes of migrations.
        min_score: the least probability that a document answers, or ``"recommended"``.

    Raises:
        DataError: no parts, two of one name, a wrong option; or parts of several maps whose
            aligners have learned no probability of an answer.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        fusion: str = "calibrated",
        on_error: OnError = "raise",
        timeout: float | None = None,
        merge: MergeParts = "id",
        follow_every: float = 10.0,
        min_score: MinScore | None = None,
    ) -> None:
        self._parts = {part.name: part for part in parts}
        if not parts or len(self._parts) < len(parts):
            names = ", ".join(part.name for part in parts) or "none"
            raise DataError(f"parts are {names}; give at least one, and each its own name=.")
        self._on_error, self._timeout = on_error, timeout
        check_choice("merge", merge, get_args(MergeParts))
        self._merge = merge
        self._searches: dict[tuple[str, bool, bool], Search] = {}
        self._scales = PartScales(parts, fusion)
        self.follower = MoveFollower(parts, follow_every, timeout)
        self._min_score = min_score
        if min_score is not None:
            self._scales.check_rescored()
        self._hybrid(self._scales.fusion({}), [])

    def run(self, question: Question, k: int, options: Mapping[str, Any]) -> HybridResult:
        """Return the best k documents of the parts that answer.

        Args:
            options: of the call, in the words of the framework.

        Raises:
            Exception: of a store, where all parts failed or ``on_error`` is ``"raise"``.
        """
        standing = self._answering(self.follower.now())
        queries = queries_of([self._parts[name] for name in standing.answering], question)
        hybrid, searches, request = self._prepared(standing, queries, question.text, k, options)
        return _with_unknown(hybrid.run(searches, request), standing)

    async def arun(self, question: Question, k: int, options: Mapping[str, Any]) -> HybridResult:
        """Do the same without blocking the event loop."""
        standing = self._answering(await in_search_thread(self.follower.now))
        queries = await aqueries_of([self._parts[name] for name in standing.answering], question)
        hybrid, searches, request = self._prepared(standing, queries, question.text, k, options)
        return _with_unknown(await hybrid.arun(searches, request), standing)

    def _answering(self, standing: Standing) -> Standing:
        """Return which parts answer.

        Raises:
            Exception: the first error of a reading, where notes are unknown and ``on_error`` is
                ``"raise"``, or no part is left.
        """
        if standing.unknown and (self._on_error == "raise" or not standing.answering):
            raise next(iter(standing.unknown.values()))
        if not standing.answering:
            raise DataError(
                "The notes of migrations leave no part that answers: a part that is live is "
                "missing among the parts."
            )
        return standing

    def _prepared(
        self,
        standing: Standing,
        queries: Mapping[str, Query],
        text: str,
        k: int,
        options: Mapping[str, Any],
    ) -> tuple[HybridSearch, Sequence[Search], SearchRequest]:
        fusion = self._scales.fusion({name: query.modality for name, query in queries.items()})
        # A copy comes behind the part that is the truth.
        order = sorted(standing.answering, key=lambda name: name in standing.copied_from)
        searches = [
            self._search(name, queries, standing, needs_similarity=fusion.needs_similarity)
            for name in order
        ]
        request = SearchRequest(queries[order[0]], text, k, options)
        return self._hybrid(fusion, order), searches, request

    def _hybrid(self, fusion: Fusion, order: Sequence[str]) -> HybridSearch:
        fused = FirstOfDoubles(fusion, order)
        return HybridSearch(fused, self._on_error, self._timeout, self._min_score)

    def _search(
        self,
        name: str,
        queries: Mapping[str, Query],
        standing: Standing,
        *,
        needs_similarity: bool,
    ) -> PartSearch:
        part, query = self._parts[name], queries[name]
        of_copy = self._query_of_copy(part, queries)
        moved = of_copy is not None
        if of_copy is not None:  # it is asked by the second map, whatever the modality
            query = query._replace(rescoring=of_copy.vector)
        truth = standing.copied_from.get(name)
        truth = truth if truth in standing.answering else None
        key = name, moved, needs_similarity
        if key not in self._searches:  # it learns the scale of its store
            self._searches[key] = part.search(
                moved=moved, needs_similarity=needs_similarity, merge=self._merge
            )
        return PartSearch(
            self._searches[key],
            query,
            None if truth is None else self._parts[truth].holds,
            rescored=moved and needs_similarity,
        )

    def _query_of_copy(self, part: Part, queries: Mapping[str, Query]) -> Query | None:
        """Return the query of a part that the second map of this one has moved; None for none."""
        if part.space.mode != "keep":
            return None
        for other in self._scales.beside(part):
            asked = queries.get(other.name)
            same_query = asked is not None and asked.modality == queries[part.name].modality
            if same_query and other.space.mode == "shared":
                return asked
        return None


def _with_unknown(result: HybridResult, standing: Standing) -> HybridResult:
    """Return the result with the parts that did not answer because nobody knows their notes."""
    unknown = {
        name: f"its note could not be read ({type(error).__name__}: {error})"
        for name, error in standing.unknown.items()
    }
    return replace(result, failed={**unknown, **result.failed})
