"""LangChain: embeddings in the space of an aligner."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from ...errors import DataError, MissingExtraError
from ...retrieval.query import AUTO, Query, modalities_of
from .._aligner_field import AlignedModel
from .._call_value import CallValue
from .._modalities import modalities_in_metadata

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import VectorStore
except ImportError as error:
    raise MissingExtraError("langchain-core", "langchain") from error

from pydantic import BeforeValidator

_ROUTED, _WORTH_A_WARNING = 200, 0.1
"""Documents that the router reads before they are added, and the share of others to warn of."""


@dataclass
class _Addition:
    """Documents that a store is adding: their modality, and whether they were embedded as it."""

    modality: str
    embedded: bool = False


_addition: CallValue[_Addition] = CallValue("addition")


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
    """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents, all of a call in one batch."""
        modality = self._modality_of_addition()
        if not texts:
            return []
        vectors: list[list[float]] = self.aligner.embed_documents(texts, modality=modality).tolist()
        return vectors

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Do the same; the encoder is awaited."""
        modality = self._modality_of_addition()
        if not texts:
            return []
        embedded = await self.aligner.aembed_documents(texts, modality=modality)
        vectors: list[list[float]] = embedded.tolist()
        return vectors

    def _modality_of_addition(self) -> str:
        """Return the modality of the documents of this call, which are embedded now."""
        addition = _addition.get(self)
        if addition is None:
            return self.resolved_document_modality
        addition.embedded = True
        return addition.modality

    def embed_query(self, text: str, *, modality: str | None = None) -> list[float]:
        """Embed one query: of ``query_modality``, unless the call names another modality."""
        vector: list[float] = self.prepare_query(text, modality=modality).vector.tolist()
        return vector

    async def aembed_query(self, text: str, *, modality: str | None = None) -> list[float]:
        """Do the same; the encoder is awaited."""
        vector: list[float] = (await self.aprepare_query(text, modality=modality)).vector.tolist()
        return vector

    def prepare_query(self, text: str, *, modality: str | None = None) -> Query:
        """Embed one query; return the vector with the modality that the query was read as."""
        return self.aligner.prepare_query(text, modality or self.resolved_query_modality)

    async def aprepare_query(self, text: str, *, modality: str | None = None) -> Query:
        """Do the same; the encoder is awaited."""
        return await self.aligner.aprepare_query(text, modality or self.resolved_query_modality)

    def add_documents(
        self, store: VectorStore, documents: list[Document], *, modality_field: str = "modality"
    ) -> list[str]:
        """Add documents to a store that embeds with this object, each as its own modality.

        The metadata of a document name its modality under ``modality_field``. A document without
        it is of ``document_modality``, and is stored with that name in its metadata. Every name is
        checked before the first document is written.

        Returns:
            the ids, in the order of the documents.

        Raises:
            DataError: an unknown modality; a store that embeds with something else; or a store
                that overwrites its documents at every write.
        """
        embeddings = self._embeddings_of(store)
        modalities = self._modalities_of(documents, modality_field)
        if len(set(modalities)) > 1 and getattr(store, "mode", None) == "overwrite":
            raise DataError(  # LanceDB's default
                f"{type(store).__name__} was made with mode='overwrite', so that documents of one "
                "modality would overwrite those of the other; make it with mode='append'."
            )
        ids: dict[int, str] = {}
        for modality in dict.fromkeys(modalities):
            rows = [row for row, name in enumerate(modalities) if name == modality]
            named = [_with_modality(documents[row], modality_field, modality) for row in rows]
            addition = _Addition(modality)
            with _addition.set(embeddings, addition):
                added = store.add_documents(named)
            if not addition.embedded:
                _warn_of_other_thread(store, addition, len(rows))
            ids.update(zip(rows, added, strict=True))
        return [ids[row] for row in range(len(documents))]

    def _embeddings_of(self, store: VectorStore) -> AlignedEmbeddings:
        """Return the object that a store embeds with: this one, or another of the same aligner.

        Raises:
            DataError: the store embeds with something else.
        """
        if type(store).embeddings is VectorStore.embeddings:  # the store does not tell
            return self
        embeddings = store.embeddings
        uncached = getattr(embeddings, "underlying_embeddings", embeddings)
        if (
            isinstance(uncached, AlignedEmbeddings)
            and uncached.aligner.fingerprint == self.aligner.fingerprint
        ):
            return uncached
        raise DataError(
            f"{type(store).__name__} was made with {type(embeddings).__name__} to embed its "
            "documents, not with this object; open it with these embeddings (Chroma: "
            "embedding_function=embeddings)."
        )

    def _modalities_of(self, documents: Sequence[Document], field: str) -> list[str]:
        """Return the modality to embed each document as; the router decides for ``"auto"``."""
        default = self.resolved_document_modality
        metadata = [document.metadata for document in documents]
        modalities = modalities_in_metadata(self.aligner, metadata, field, default)
        if default != AUTO:
            without = [document for document in documents if not document.metadata.get(field)]
            self._warn_of_others(without, default, field)
        left = [row for row, modality in enumerate(modalities) if modality == AUTO]
        routed = modalities_of(self.aligner, [documents[row].page_content for row in left])
        for row, modality in zip(left, routed, strict=True):
            modalities[row] = modality
        return modalities

    def _warn_of_others(self, documents: Sequence[Document], taken_for: str, field: str) -> None:
        """Warn where the router reads documents without a modality as another one."""
        read = documents[:_ROUTED]
        if not read or not self.aligner.routes:
            return
        routed = self.aligner.route([document.page_content for document in read])
        others = sum(modality not in (None, taken_for) for modality in routed)
        if others > _WORTH_A_WARNING * len(read):
            warnings.warn(
                f"{others} of {len(read)} documents that name no modality do not read like "
                f"{taken_for!r}, which they are taken for: name it in metadata[{field!r}], or "
                "leave it to the router (document_modality='auto').",
                stacklevel=4,
            )


def _with_modality(document: Document, field: str, modality: str) -> Document:
    """Return a copy of a document whose metadata name the modality."""
    return document.model_copy(update={"metadata": {**document.metadata, field: modality}})


def _warn_of_other_thread(store: VectorStore, addition: _Addition, n_documents: int) -> None:
    warnings.warn(
        f"{type(store).__name__} stored {n_documents} document(s) of {addition.modality!r} without "
        "having this object embed them in this thread. If it embeds in another thread, they were "
        "taken for the document_modality of that object: remove them, and add each modality "
        "through an object of its own.",
        stacklevel=3,
    )


EmbeddingsField = Annotated[AlignedEmbeddings, BeforeValidator(AlignedEmbeddings.of)]
"""``AlignedEmbeddings``, or what makes some: an aligner, or the folder of a saved one."""
