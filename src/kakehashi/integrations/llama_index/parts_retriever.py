"""LlamaIndex: a retriever over an index that lies in several parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from ...errors import DataError
from ...retrieval.answer_probability import MinScore
from ...retrieval.document_key import MergeParts
from ...retrieval.fusion import Method
from ...retrieval.hybrid_search import HybridResult, OnError
from ...retrieval.move_following import Standing
from ...retrieval.parts.part import names_of
from ...retrieval.parts.queries import Question
from ...retrieval.parts.search import PartsSearch
from ...retrieval.search import check_k
from .found import nodes_with_scores
from .parts import Part
from .searches import check_options


class PartsRetriever(BaseRetriever):
    """Search an index that lies in several parts, each with its own aligner, as one index.

    During a migration, the old collection and the new one are such parts. This retriever reads the
    note that the migration leaves, and follows it while it runs: both answer while documents are
    copied, the new one alone when it is live, the old one alone when it is rolled back.

    Scores of parts compare exactly where one map makes them: an aligner that rescores, beside
    ``aligner.as_shared()`` over the moved part. Parts of other aligners compare by the probability
    that a node answers, which each aligner has learned.

    Args:
        parts: each a :class:`Part`. Of a node that several hold, the first part counts.
        similarity_top_k: number of nodes.
        fusion: ``"calibrated"``; or ``"rank"``, for aligners that have learned no probability.
        on_error: ``"raise"`` the error of a part that fails; or ``"degrade"`` to the other parts,
            with a ``DegradedWarning``. What the caller did wrong is raised in any case.
        timeout: seconds for each part, after which it has failed.
        min_score: as of :class:`HybridRetriever`, for aligners that learned a probability. Of
            several recommended ones, the smallest counts.
        merge: ``"id"`` takes nodes of one id for one; ``"text"`` and ``"identity"`` as of
            :class:`HybridRetriever`.
        follow_every: seconds between two readings of the notes.
        explain: as of :class:`HybridRetriever`.
        options: passed on to every part: ``filters``, ``vector_store_kwargs``, ...

    Raises:
        DataError: ``similarity_top_k`` is less than 1; no parts; two of one name; an unknown
            option; or parts of several maps whose aligners have learned no probability.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        similarity_top_k: int = 4,
        fusion: Method = "calibrated",
        on_error: OnError = "raise",
        timeout: float | None = None,
        min_score: MinScore | None = None,
        merge: MergeParts = "id",
        follow_every: float = 10.0,
        explain: bool = False,
        **options: Any,
    ) -> None:
        self._k = check_k(similarity_top_k, "similarity_top_k")
        check_options(options)
        listed = list(parts) if isinstance(parts, Iterable) else [parts]
        for part in listed:
            if not isinstance(part, Part):
                raise DataError(f"parts hold {part!r:.80}; give Part(index, embedding=aligner).")
        self._parts = [
            replace(part, name=name) for part, name in zip(listed, names_of(listed), strict=True)
        ]
        self._search = PartsSearch(
            self._parts,
            fusion=fusion,
            on_error=on_error,
            timeout=timeout,
            merge=merge,
            follow_every=follow_every,
            min_score=min_score,
        )
        self._fusion, self._explain, self._options = fusion, explain, options
        indices = [part.index for part in self._parts]
        super().__init__(
            callback_manager=indices[0]._callback_manager,
            object_map={key: node for index in indices for key, node in index._object_map.items()},
        )

    def follow(self) -> Standing:
        """Read the notes of all parts now, and return which parts answer."""
        return self._search.follower.read()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._nodes(self._search.run(_question(query_bundle), self._k, self._options))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        question = _question(query_bundle)
        return self._nodes(await self._search.arun(question, self._k, self._options))

    def _nodes(self, result: HybridResult) -> list[NodeWithScore]:
        return nodes_with_scores(result, self._fusion, explain=self._explain)


def _question(bundle: QueryBundle) -> Question:
    """Return the query; a bundle may give other texts to embed in its place (HyDE's)."""
    return Question(bundle.query_str, texts=bundle.custom_embedding_strs or ())
