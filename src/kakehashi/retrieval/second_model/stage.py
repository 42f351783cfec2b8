"""The order of a second model in the list of hits that a search gave.

Every hit that the model has embedded gets its cosine with the question. Documents that it embedded
earlier join them, as far as the index still holds them under the same text, and the filter of the
call lets them through. A hit that it has not embedded keeps its place: scores of two models are
never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.arguments import text_problem
from ...encoders.cache import key_of
from ...errors import DataError
from ..hits import Hit, SearchResult
from ..search import SearchRequest
from .model import SecondModel
from .side_table import Embedded

AsHit = Callable[[Any], Hit]


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

    def result(self, request: SearchRequest, result: SearchResult, as_hit: AsHit) -> SearchResult:
        """Return a result in the new order; it ends with the hits that were ordered again."""
        hits = self.ordered(request, result.hits, as_hit, wanted=self.n_hits(request.k))
        return result if hits is None else result._replace(hits=hits, last_hits={})

    def ordered(
        self, request: SearchRequest, hits: Sequence[Hit], as_hit: AsHit, *, wanted: int
    ) -> list[Hit] | None:
        """Return the first hits in their new order; None where the model fails, or has seen none.

        A hit that it has not embedded has no similarity.

        Args:
            as_hit: makes a hit of a payload that the search did not return.
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
        known: list[Hit] = []
        kept: dict[int, Hit] = {}
        for row, (hit, similarity) in enumerate(zip(first, look.similarities, strict=True)):
            scored = hit._replace(similarity=similarity, unrescored=hit.similarity)
            if similarity is None:
                kept[row] = scored
            else:
                known.append(scored)
        least = sorted((hit.similarity or 0.0 for hit in known), reverse=True)[wanted - 1 : wanted]
        others = [
            each
            for each in look.nearest
            if each.id not in ids and (not least or each.similarity > least[0])
        ]
        known += self._others(others, request.options, as_hit)
        return _at_their_places(kept, _in_order(known)) if known else None

    def _others(
        self, others: Sequence[Embedded], options: Mapping[str, Any], as_hit: AsHit
    ) -> list[Hit]:
        """Return hits of documents that were embedded before, as far as they are still the same."""
        if not others:
            return []
        by_id = {each.id: each for each in others}
        found = []
        for payload in self.payloads.by_ids(list(by_id), options):
            each, text = (
                by_id.get(self.payloads.id_of(payload) or ""),
                self.payloads.text_of(payload),
            )
            if each is not None and not text_problem(text) and key_of(text) == each.text:
                found.append(as_hit(payload)._replace(similarity=each.similarity))
        return found


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


def _in_order(hits: Sequence[Hit]) -> list[Hit]:
    order = np.argsort([-(hit.similarity or 0.0) for hit in hits], kind="stable")
    return [hits[row] for row in order]


def _at_their_places(kept: Mapping[int, Hit], ordered: Sequence[Hit]) -> list[Hit]:
    """Return one list: the kept hits at their places, and the others around them."""
    result = list(ordered)
    for row in sorted(kept):
        result.insert(row, kept[row])
    return result
