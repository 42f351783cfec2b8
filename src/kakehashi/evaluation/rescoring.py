"""How an aligner with a second map finds: the first hits of its search are ordered again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..aligner import Aligner
from ..metrics.pool import Pool
from ..metrics.ranking import ranks
from ..metrics.relevance import Relevance
from ..metrics.rescored import FirstHits, Ranks, are_answers, first_hits, score_hits
from ..projection.rescoring import Rescoring
from ..vectors import Float32Array


class RescoredSearch:
    """An index of stored vectors whose first hits are ordered again."""

    def __init__(self, aligner: Aligner, rescoring: Rescoring, pool: Pool) -> None:
        """Project the documents.

        Args:
            pool: all documents of the index, with the vectors that are stored.
        """
        self._aligner, self._rescoring = aligner, rescoring
        self._stored = np.asarray(pool.vectors, np.float32)
        self._documents = rescoring.documents(self._stored, texts=pool.texts)

    def hits(
        self,
        vectors: Float32Array,
        texts: Sequence[str] | None,
        *,
        kept: Ranks,
        relevance: Relevance,
    ) -> FirstHits:
        """Return the first hits of each query with both orders.

        Args:
            vectors: (n, d) of the source encoder, with their texts.
            kept: (n,) rank of the best answer in the search that is rescored.
            relevance: which of the documents answer which query.
        """
        queries = self._aligner.project(vectors, texts=texts, modality="source", role="query")
        metric = self._aligner.report.metric
        hits = first_hits(queries, self._stored, metric, self._rescoring.n_hits)
        asked = self._rescoring.query(vectors, texts=texts)
        scores = score_hits(asked, self._documents, hits)
        return FirstHits(kept, hits, scores, are_answers(hits, relevance.answers))

    def ranks_if_moved(
        self, vectors: Float32Array, texts: Sequence[str] | None, relevance: Relevance
    ) -> Ranks:
        """Return the ranks where the second map moves the whole index, (n,), as mode shared does.

        Args:
            vectors: (n, d) of the source encoder, with their texts.
            relevance: which of the documents answer which query.
        """
        asked = self._rescoring.query(vectors, texts=texts)
        metric = self._aligner.report.metric
        return ranks(asked, self._documents, metric, relevance=relevance)


def rescored_search(aligner: Aligner, pool: Pool) -> RescoredSearch | None:
    """Return the second look of an aligner at its hits; None where it has no second map."""
    if aligner.rescoring is None:
        return None
    return RescoredSearch(aligner, aligner.rescoring, pool)
