"""The order of a second model in the list of hits that a search gave.

Every hit that the model has embedded gets its cosine with the question. Documents that it embedded
earlier join them, as far as the index still holds them under the same text, and the filter of the
call lets them through. Where the second map of the aligner knows all of them, it has a share in
their order (:mod:`.candidates`). A hit that the model has not embedded keeps its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...data.arguments import text_problem
from ...encoders.cache import key_of
from ...errors import DataError
from ...vectors import Float32Array
from ..hits import Hit, SearchResult
from ..search import SearchRequest
from .candidates import Candidate, in_order, worth_asking
from .model import SecondModel
from .side_table import Embedded

AsHit = Callable[[Any], Hit]
ByMap = Callable[[Sequence[Hit]], Float32Array | None]
"""Returns the similarities of hits by the second map of an aligner; None where it has none."""


@dataclass(frozen=True)
class Payloads:
    """The documents of an index, in the form of a framework.

    Attributes:
        text_of: returns the embedded text of a payload.
        id_of: returns its id in the index; None where it has none.
        by_ids: returns the payloads of these ids that the options of a call let through, in any
            order; none where the index cannot say.
    """

    text_of: Callable[[Any], str]
    id_of: Callable[[Any], str | None]
    by_ids: Callable[[Sequence[str], Mapping[str, Any]], Sequence[Any]]


@dataclass(frozen=True)
class SecondStage:
    """A second model over the documents of one index."""

    model: SecondModel
    payloads: Payloads

    def n_hits(self, k: int) -> int:
        """Return how many documents are ordered again to return k of them."""
        return max(self.model.n_hits, k)

    def result(
        self, request: SearchRequest, result: SearchResult, as_hit: AsHit, by_map: ByMap
    ) -> SearchResult:
        """Return a result in the new order; it ends with the hits that were ordered again."""
        wanted = self.n_hits(request.k)
        hits = self.ordered(request, result.hits, as_hit, by_map, wanted=wanted)
        return result if hits is None else result._replace(hits=hits, last_hits={})

    def ordered(
        self,
        request: SearchRequest,
        hits: Sequence[Hit],
        as_hit: AsHit,
        by_map: ByMap,
        *,
        wanted: int,
    ) -> list[Hit] | None:
        """Return the first hits in their new order; None where the model fails, or has seen none.

        A hit that it has not embedded has no similarity.

        Args:
            as_hit: makes a hit of a payload that the search did not return.
            by_map: see :data:`ByMap`; asked for documents that the search did not return.
            wanted: the index is asked only for documents that may stand among so many first ones.
        """
        n = self.n_hits(request.k)
        keys = set(list(dict.fromkeys(hit.key for hit in hits))[:n])
        first = [hit for hit in hits if hit.key in keys]
        ids = [self.payloads.id_of(hit.payload) for hit in first]
        texts = [self.payloads.text_of(hit.payload) for hit in first]
        look = self.model.look(request.text, list(zip(ids, texts, strict=True)), n)
        if look is None:
            return None
        kept: dict[int, Hit] = {}
        candidates: list[Candidate] = []
        for row, (hit, similarity) in enumerate(zip(first, look.similarities, strict=True)):
            if similarity is None:
                kept[row] = hit._replace(similarity=None, unrescored=hit.similarity)
            else:
                of_map = hit.similarity if hit.rescored else None
                candidates.append(Candidate(hit, similarity, of_map))
        others = worth_asking(
            [each for each in look.nearest if each.id not in ids], candidates, wanted
        )
        candidates += self._others(others, request, as_hit, by_map)
        return _at_their_places(kept, in_order(candidates)) if candidates else None

    def _others(
        self,
        others: Sequence[Embedded],
        request: SearchRequest,
        as_hit: AsHit,
        by_map: ByMap,
    ) -> list[Candidate]:
        """Return documents that were embedded before, as far as they are still the same."""
        if not others:
            return []
        by_id = {each.id: each for each in others}
        hits: list[Hit] = []
        by_model: list[float] = []
        for payload in self.payloads.by_ids(list(by_id), request.options):
            each = by_id.get(self.payloads.id_of(payload) or "")
            text = self.payloads.text_of(payload)
            if each is not None and not text_problem(text) and key_of(text) == each.text:
                hits.append(as_hit(payload))
                by_model.append(each.similarity)
        similarities = by_map(hits)
        of_map = [None] * len(hits) if similarities is None else similarities.tolist()
        return list(map(Candidate, hits, by_model, of_map))


def check_fusion(model: SecondModel | None, *, calibrated: bool) -> None:
    """Refuse a second model in a fusion by calibrated scores, which are another model's.

    Raises:
        DataError: there is one, and the fusion is calibrated.
    """
    if model is not None and calibrated:
        raise DataError(
            "rescore_with= gives scores of another model than the calibration was learned on: it "
            "goes with fusion='rank' and without min_score."
        )


def check_options_of_second(model: Any, *, by_score: bool, mmr: bool) -> None:
    """Refuse options of a retriever over one store that have no meaning with a second model.

    Raises:
        DataError: no SecondModel; a threshold of scores, or a search by MMR or by words.
    """
    if not isinstance(model, SecondModel):
        raise DataError(
            f"rescore_with={model!r:.80}; give kakehashi.SecondModel(encoder, path), whose path is "
            "that of a file for its vectors."
        )
    if by_score:
        raise DataError(
            "rescore_with= goes without a threshold of scores: where the model fails, the scores "
            "are another model's. Leave score_threshold and min_score out, and k= says how many."
        )
    if mmr:
        raise DataError(
            "rescore_with= goes with a search by similarity: any other order would be undone. "
            "Drop one of the two."
        )


def _at_their_places(kept: Mapping[int, Hit], ordered: Sequence[Hit]) -> list[Hit]:
    """Return one list: the kept hits at their places, and the others around them."""
    result = list(ordered)
    for row in sorted(kept):
        result.insert(row, kept[row])
    return result
