"""LangChain: embeddings in the space of an aligner."""

from __future__ import annotations

from typing import Annotated, Any

from ...errors import DataError, MissingExtraError
from ...retrieval.query import AUTO, Query
from .._aligner_field import AlignedModel

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.runnables.config import run_in_executor
    from langchain_core.vectorstores import VectorStore
except ImportError as error:
    raise MissingExtraError("langchain-core", "langchain") from error

from pydantic import BeforeValidator

from .adding import Part, check_cacheable, modality_of_addition, parts_of
from .index import acheck_caller, anote_filling, check_caller, note_filling, record


class AlignedEmbeddings(AlignedModel, Embeddings):
    """Embeddings in the space of an aligner: queries of one modality find documents of another.

    Args:
        aligner: an ``Aligner``, a ``MultiAligner``, or the folder of a saved one. Pass encoders
            that it does not record (a LangChain ``Embeddings``, a callable) by
            ``aligner.with_encoders(source_encoder=...)``.
        query_modality: the modality of queries. By default ``"source"``; for a multi aligner
            ``"auto"``, which lets the router read each query.
        document_modality: the modality of documents. By default the target; ``"auto"`` lets the
            router read each text.
        modality_field: the metadata field in which a document may name its modality.
    """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents, all of a call in one batch."""
        modality = modality_of_addition(self) or self.resolved_document_modality
        if not texts:
            return []
        note_filling(self.aligner, self.modality_of_documents())
        vectors: list[list[float]] = self.aligner.embed_documents(texts, modality=modality).tolist()
        return vectors

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Do the same; the encoder is awaited."""
        modality = modality_of_addition(self) or self.resolved_document_modality
        if not texts:
            return []
        await anote_filling(self.aligner, self.modality_of_documents())
        embedded = await self.aligner.aembed_documents(texts, modality=modality)
        vectors: list[list[float]] = embedded.tolist()
        return vectors

    def embed_query(self, text: str, *, modality: str | None = None) -> list[float]:
        """Embed one query: of ``query_modality``, unless the call names another modality.

        Raises:
            AlignerMismatchError: a store calls for it, and holds vectors of another aligner.
        """
        check_caller(self.aligner, self.modality_of_documents())
        vector: list[float] = self.prepare_query(text, modality=modality).vector.tolist()
        return vector

    async def aembed_query(self, text: str, *, modality: str | None = None) -> list[float]:
        """Do the same; the encoder is awaited."""
        await acheck_caller(self.aligner, self.modality_of_documents())
        vector: list[float] = (await self.aprepare_query(text, modality=modality)).vector.tolist()
        return vector

    def record(self, store: VectorStore) -> bool:
        """Write into a store that this aligner made its vectors; say whether it can hold that.

        A store that :meth:`embed_documents` filled from the start has the record already. Then a
        first search compares fingerprints, and no vectors.
        """
        return record(store, self.aligner)

    def prepare_query(self, text: str, *, modality: str | None = None) -> Query:
        """Embed one query; return the vector with the modality that the query was read as."""
        return self.aligner.prepare_query(text, modality or self.resolved_query_modality)

    async def aprepare_query(self, text: str, *, modality: str | None = None) -> Query:
        """Do the same; the encoder is awaited."""
        return await self.aligner.aprepare_query(text, modality or self.resolved_query_modality)

    @property
    def model(self) -> str:
        """The name of the space of documents, for caches and records.

        ``CacheBackedEmbeddings`` takes it as ``namespace``. Its queries need a store of their own
        (``query_embedding_cache=another_store``): in one store, a query would get the vector of a
        document of the same words.
        """
        modality = self.resolved_document_modality
        router = f"-{self.aligner.router_fingerprint}" if modality == AUTO else ""
        return f"kakehashi-{self.aligner.fingerprint}-{modality}{router}"

    def add_documents(
        self,
        store: VectorStore,
        documents: list[Document],
        **options: Any,
    ) -> list[str]:
        """Add documents to a store that embeds with this object, each as its own modality.

        The metadata of a document name its modality under ``modality_field``. A document without
        it is of ``document_modality``. Every name is checked before the first document is written.
        :class:`AlignedVectorStore` does the same for components that fill a store themselves.

        Args:
            options: passed on to the store, such as ``ids``.

        Returns:
            the ids, in the order of the documents.

        Raises:
            DataError: an unknown modality; a store that embeds with something else; or a store
                that overwrites its documents at every write.
        """
        embeddings, cached, parts = self.planned(store, documents)
        ids: dict[int, str] = {}
        for part in parts:
            with part.added_by(store, embeddings, cached=cached):
                added = store.add_documents(part.documents, **part.options(options))
            ids.update(zip(part.rows, added, strict=True))
        return [ids[row] for row in range(len(documents))]

    async def aadd_documents(
        self,
        store: VectorStore,
        documents: list[Document],
        **options: Any,
    ) -> list[str]:
        """Add documents without blocking the event loop; see :meth:`add_documents`."""
        embeddings, cached, parts = await run_in_executor(None, self.planned, store, documents)
        ids: dict[int, str] = {}
        for part in parts:
            with part.added_by(store, embeddings, cached=cached):
                added = await store.aadd_documents(part.documents, **part.options(options))
            ids.update(zip(part.rows, added, strict=True))
        return [ids[row] for row in range(len(documents))]

    def planned(
        self, store: VectorStore, documents: list[Document]
    ) -> tuple[AlignedEmbeddings, bool, list[Part]]:
        """Return what the store embeds with, whether through a cache, and the parts to add."""
        embeddings, cached = self.embeddings_of(store)
        default = self.resolved_document_modality
        parts = parts_of(self.aligner, documents, field=self.modality_field, default=default)
        if len(parts) > 1 and getattr(store, "mode", None) == "overwrite":
            raise DataError(  # LanceDB's default
                f"{type(store).__name__} was made with mode='overwrite', so that documents of one "
                "modality would overwrite those of the other; make it with mode='append'."
            )
        if cached:
            check_cacheable(self.aligner, parts, embeddings.resolved_document_modality)
        return embeddings, cached, parts

    def embeddings_of(self, store: VectorStore) -> tuple[AlignedEmbeddings, bool]:
        """Return the object that a store embeds with, and whether it stands behind a cache.

        It is this object, or another of the same aligner.

        Raises:
            DataError: the store embeds with something else.
        """
        if type(store).embeddings is VectorStore.embeddings:  # the store does not tell
            return self, False
        embeddings = store.embeddings
        uncached = getattr(embeddings, "underlying_embeddings", embeddings)
        if (
            isinstance(uncached, AlignedEmbeddings)
            and uncached.aligner.fingerprint == self.aligner.fingerprint
        ):
            return uncached, uncached is not embeddings
        raise DataError(
            f"{type(store).__name__} was made with {type(embeddings).__name__} to embed its "
            "documents, not with this object; open it with these embeddings (Chroma: "
            "embedding_function=embeddings)."
        )


EmbeddingsField = Annotated[AlignedEmbeddings, BeforeValidator(AlignedEmbeddings.of)]
"""``AlignedEmbeddings``, or what makes some: an aligner, or the folder of a saved one."""
