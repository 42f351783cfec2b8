"""Documents that are added to a store, each as its own modality.

A store embeds documents itself, and passes their texts alone to its embeddings. So documents of one
modality are added together, and the embeddings learn from the call which modality it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from ...errors import DataError
from ...retrieval.query import AUTO, modalities_of
from .._call_value import CallValue
from .._modalities import Space, modalities_in_metadata

_ROUTED, _WORTH_A_WARNING = 200, 0.1
"""Documents that the router reads before they are added, and the share of others to warn of."""


@dataclass
class _Addition:
    """The modality of documents that a store is adding, and whether they were embedded as it."""

    modality: str
    embedded: bool = False


_addition: CallValue[_Addition] = CallValue("addition")


def modality_of_addition(embeddings: object) -> str | None:
    """Return the modality of the documents that are being added; None outside of an addition."""
    addition = _addition.get(embeddings)
    if addition is None:
        return None
    addition.embedded = True
    return addition.modality


@dataclass(frozen=True)
class Part:
    """The documents of one modality among those that are added, and their rows among them."""

    modality: str
    rows: Sequence[int]
    documents: list[Document]

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of the call, with the ids of these documents only."""
        if options.get("ids") is None:
            return {name: value for name, value in options.items() if name != "ids"}
        return {**options, "ids": [options["ids"][row] for row in self.rows]}

    @contextmanager
    def added_by(self, store: VectorStore, embeddings: object, *, cached: bool) -> Iterator[None]:
        """Have a store embed the documents as their modality; warn where it did not."""
        addition = _Addition(self.modality)
        with _addition.set(embeddings, addition):
            yield
        if not addition.embedded and not cached:
            warnings.warn(
                f"{type(store).__name__} stored {len(self.rows)} document(s) of {self.modality!r} "
                "without having this object embed them in this thread. If it embeds in another "
                "thread, they were taken for the document_modality of that object: remove them, "
                "and add each modality through an object of its own.",
                stacklevel=5,
            )


def parts_of(
    space: Space, documents: Sequence[Document], *, field: str, default: str
) -> list[Part]:
    """Divide documents by their modality; the router decides where the default is ``"auto"``.

    Where one names its modality, or the router reads one, all are stored with theirs: some stores
    have every document name what one names. Otherwise their metadata stay as they are.

    Raises:
        DataError: metadata that name an unknown modality.
    """
    metadata = [document.metadata for document in documents]
    modalities = modalities_in_metadata(space, metadata, field, default)
    left = [row for row, modality in enumerate(modalities) if modality == AUTO]
    for row, modality in zip(left, _routed(space, documents, left), strict=True):
        modalities[row] = modality
    if default != AUTO:
        without = [document for document in documents if not document.metadata.get(field)]
        _warn_of_others(space, without, default, field)
    if left or any(each.get(field) for each in metadata):
        documents = [
            document.model_copy(update={"metadata": {**document.metadata, field: modality}})
            for document, modality in zip(documents, modalities, strict=True)
        ]
    parts = []
    for modality in dict.fromkeys(modalities):
        rows = [row for row, name in enumerate(modalities) if name == modality]
        parts.append(Part(modality, rows, [documents[row] for row in rows]))
    return parts


def check_cacheable(space: Space, parts: Sequence[Part], default: str) -> None:
    """Raise DataError where a cache, which reads texts alone, would mix modalities."""
    for part in parts:
        for document in part.documents:
            as_cached = default
            if default == AUTO:
                [as_cached] = modalities_of(space, [document.page_content])
            if part.modality != as_cached:
                raise DataError(
                    f"the store embeds through a cache, which keeps one vector for each text, and "
                    f"{document.page_content!r:.60} of {part.modality!r} would be kept for one of "
                    f"{as_cached!r}. Make the store with the AlignedEmbeddings themselves, or one "
                    "store for each modality."
                )


def _routed(space: Space, documents: Sequence[Document], rows: Sequence[int]) -> list[str]:
    return modalities_of(space, [documents[row].page_content for row in rows])


def _warn_of_others(
    space: Space, documents: Sequence[Document], taken_for: str, field: str
) -> None:
    """Warn where the router reads documents without a modality as another one."""
    read = documents[:_ROUTED]
    if not read or not space.routes:
        return
    routed = space.route([document.page_content for document in read])
    others = sum(modality not in (None, taken_for) for modality in routed)
    if others > _WORTH_A_WARNING * len(read):
        warnings.warn(
            f"{others} of {len(read)} documents that name no modality do not read like "
            f"{taken_for!r}, which they are taken for: name it in metadata[{field!r}], or "
            "leave it to the router (document_modality='auto').",
            stacklevel=5,
        )
