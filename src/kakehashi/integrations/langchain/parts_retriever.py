"""LangChain: a retriever over an index that lies in several parts."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from ...retrieval.answer_probability import MinScore
from ...retrieval.document_key import MergeParts
from ...retrieval.fusion import Method
from ...retrieval.hybrid_search import HybridResult, OnError
from ...retrieval.move_following import Standing
from ...retrieval.parts.part import names_of
from ...retrieval.parts.queries import Question
from ...retrieval.parts.search import PartsSearch
from ...retrieval.search import check_k
from .found import documents_of
from .parts import Part
from .searches import without_k


class PartsRetriever(BaseRetriever):
    """Search an index that lies in several parts, each with its own aligner, as one index.

    During a migration, the old collection and the new one are such parts. This retriever reads the
    note that the migration leaves, and follows it while it runs: both answer while documents are
    copied, the new one alone when it is live, the old one alone when it is rolled back.

    Scores of parts compare exactly where one map makes them: an aligner that rescores, beside
    ``aligner.as_shared()`` over the moved part. Parts of other aligners compare by the probability
    that a document answers, which each aligner has learned.

    Args:
        parts: each a :class:`Part`. Of a document that several hold, the first part counts.
        k: number of documents.
        fusion: ``"calibrated"``; or ``"rank"``, for aligners that have learned no probability.
        on_error: ``"raise"`` the error of a part that fails; or ``"degrade"`` to the other parts,
            with a ``DegradedWarning``. What the caller did wrong is raised in any case.
        timeout: seconds for each part, after which it has failed.
        min_score: as of :class:`HybridRetriever`, for aligners that learned a probability. Of
            several recommended ones, the smallest counts.
        merge: ``"id"`` takes documents of one id for one; ``"text"`` and ``"identity"`` as of
            :class:`HybridRetriever`.
        follow_every: seconds between two readings of the notes.
        explain: as of :class:`HybridRetriever`.
        search_kwargs: passed on to every part: ``filter``, ... (not ``k``).

    A call may give ``k``, ``modality`` (of this query) and options of the stores:
    ``retriever.invoke(text, k=2, filter={"page": 3})``.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    parts: list[Part]
    k: int = Field(default=4, ge=1)
    fusion: Method = "calibrated"
    on_error: OnError = "raise"
    timeout: float | None = None
    min_score: MinScore | None = None
    merge: MergeParts = "id"
    follow_every: float = 10.0
    explain: bool = False
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    _prepared: tuple[Any, PartsSearch] | None = PrivateAttr(None)

    @field_validator("search_kwargs")
    @classmethod
    def _without_k(cls, search_kwargs: dict[str, Any]) -> dict[str, Any]:
        return without_k(search_kwargs)

    @model_validator(mode="after")
    def _check(self) -> PartsRetriever:
        self._search()
        self._options({})
        return self

    def follow(self) -> Standing:
        """Read the notes of all parts now, and return which parts answer."""
        return self._search().follower.read()

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = check_k(self.k if k is None else k), self._options(kwargs)
        return self._documents(self._search().run(Question(query, modality), n, options))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        modality: str | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        n, options = check_k(self.k if k is None else k), self._options(kwargs)
        return self._documents(await self._search().arun(Question(query, modality), n, options))

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        stores = dict.fromkeys(type(part.vectorstore).__name__ for part in self.parts)
        models = dict.fromkeys(part.space.fingerprint[:12] for part in self.parts)
        params["ls_vector_store_provider"] = "+".join(stores)
        params["ls_embedding_provider"] = "AlignedEmbeddings"
        params["ls_embedding_model"] = "+".join(f"kakehashi-{model}" for model in models)
        return params

    def _options(self, of_call: dict[str, Any]) -> dict[str, Any]:
        """Return the options for every part; a part that cannot read one refuses it."""
        options = {**self.search_kwargs, **of_call}
        for part in self.parts:
            part.check_options(options)
        return options

    def _documents(self, result: HybridResult) -> list[Document]:
        return documents_of(result, self.fusion, explain=self.explain)

    def _search(self) -> PartsSearch:
        """Return the search of all parts: a new one where ``model_copy`` changed what it is of."""
        made_from: list[Any] = [
            *map(id, self.parts),
            self.fusion,
            self.on_error,
            self.timeout,
            self.merge,
        ]
        made_from += [self.follow_every, self.min_score]
        if self._prepared is None or self._prepared[0] != made_from:
            named = [
                part.model_copy(update={"name": name})
                for part, name in zip(self.parts, names_of(self.parts), strict=True)
            ]
            search = PartsSearch(
                named,
                fusion=self.fusion,
                on_error=self.on_error,
                timeout=self.timeout,
                merge=self.merge,
                follow_every=self.follow_every,
                min_score=self.min_score,
            )
            self._prepared = made_from, search
        return self._prepared[1]
