"""The documents of an index: a search ranks all of them, beside the answers that pairs name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import DataError, ReaderError
from ..printable import without_password
from ..vectors import FloatArray
from .arguments import in_order, is_whole
from .readers import open_npz, read_texts, texts_beside
from .validation import Finding, checked_vectors, validated_texts

_SEEN = "source"
"""The array of an ``.npz`` with the texts of the index as the source encoder sees them."""
_READER = "kakehashi.integrations.reading"
"""Reads the stores of frameworks. It stands on a floor above, so it is named and not imported."""


@dataclass(frozen=True, eq=False)
class IndexDocuments:
    """The documents of an index: n texts, n stored vectors, or both.

    Attributes:
        texts: n texts, as the store returns them; None where it holds vectors only.
        vectors: (n, d) as they are stored; None where there are texts only. In an index that an
            aligner of shared mode moved, they are projected ones.
        source_vectors: (n, d_x) of the same texts, as the source encoder sees them; a fit learns
            from them without that encoder.
        learn: how many of the texts a fit learns from at most. By default 5,000 where the source
            encoder has to read them.
        ids: n names.
        name: where the documents were read.

    Raises:
        DataError: no documents, columns of different lengths, or a row that cannot be used.
    """

    texts: tuple[str, ...] | None = None
    vectors: FloatArray | None = None
    ids: tuple[str, ...] = ()
    name: str = "index"
    source_vectors: FloatArray | None = None
    learn: int | None = None

    def __post_init__(self) -> None:
        columns = (self.texts, self.vectors, self.source_vectors, self.ids or None)
        lengths = {len(column) for column in columns if column is not None}
        if (self.texts is None and self.vectors is None) or lengths == {0}:
            raise DataError(f"{self.name} holds no documents; give an index that is filled.")
        if len(lengths) > 1:
            raise DataError(f"{self.name}: texts, vectors and ids differ in number: {lengths}.")
        findings: list[Finding] = []
        texts = validated_texts(self.texts, "target", findings)
        vectors = checked_vectors(self.vectors, "target", findings)
        seen = checked_vectors(self.source_vectors, "source", findings)
        if self.learn is not None and not (is_whole(self.learn) and self.learn >= 0):
            raise DataError(f"learn={self.learn!r}: choose a whole number of texts, 0 or more.")
        if findings:
            first = findings[0]
            raise DataError(f"{self.name}: document {first.row}: {first.problem}. Take it out.")
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "source_vectors", seen)
        if not self.ids:
            object.__setattr__(self, "ids", tuple(map(str, range(len(self)))))

    def __len__(self) -> int:
        rows = self.vectors if self.texts is None else self.texts
        assert rows is not None
        return len(rows)

    def __repr__(self) -> str:
        """Return the number of documents, without their contents."""
        dimension = "" if self.vectors is None else f"[{self.vectors.shape[1]}]"
        held = f"{'' if self.texts is None else 'texts'}{dimension}"
        return f"IndexDocuments({self.name!r}, {len(self)} documents, {held})"


def as_index(value: Any, what: str = "index") -> IndexDocuments:
    """Return the documents of an index: as they are, of a vector store, or of a list of texts.

    Raises:
        DataError: another value; an address is to be read first.
    """
    if isinstance(value, IndexDocuments):
        return value
    if isinstance(value, (str, Path)):
        address = without_password(str(value))
        raise DataError(
            f"{what}={address!r} is an address; read it with kakehashi.read_index({address!r})."
        )
    if isinstance(value, Sequence) or hasattr(value, "__array__"):
        return IndexDocuments(texts=tuple(in_order(value, what)), name="texts")
    stored = import_module(_READER).read_store(value)
    if not isinstance(stored, IndexDocuments):
        raise DataError(
            f"{what}: {type(value).__name__} is no index; pass what kakehashi.read_index returns, "
            "a vector store of LangChain, a VectorStoreIndex of LlamaIndex, a collection of "
            "Chroma, or a list of texts."
        )
    return stored


def read_index_file(
    path: str | Path,
    *,
    column: str = "target",
    encoding: str | None = None,
    sheet: str | None = None,
) -> IndexDocuments:
    """Read the documents of an index from a file.

    Args:
        path: texts, as :func:`kakehashi.data.readers.read_texts` reads them; or an ``.npz`` with
            the array ``target`` of (n, d) vectors, ``target_texts`` of n strings, or both. It may
            hold ``source``, too: (n, d_x), the same texts as the source encoder sees them.
        column: the name of the column or array, in place of ``target``.
        encoding, sheet: as in :func:`kakehashi.read_pairs`.

    Raises:
        ReaderError: the file is missing, malformed or of another format.
        DataError: a document that cannot be used.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _of_npz(path, column)
    texts = read_texts(path, column=column, encoding=encoding, sheet=sheet)
    return IndexDocuments(texts=tuple(texts), name=str(path))


def _of_npz(path: Path, column: str) -> IndexDocuments:
    if not os.path.isfile(path):
        raise ReaderError(f"{path} is not a file.")
    with open_npz(path) as archive:
        vectors = archive.get(column)
        key = f"{column}_texts"
        if vectors is None and key not in archive:
            held = ", ".join(archive.files)
            raise ReaderError(f"{path} has neither an array {column!r} nor {key!r}; it has {held}.")
        rows = len(archive[key]) if vectors is None else len(vectors)
        texts: Sequence[str] | None = texts_beside(archive, column, rows, path)
        # A file of pairs holds questions there.
        is_index = column != _SEEN and texts_beside(archive, _SEEN, rows, path) in (None, texts)
        seen = archive.get(_SEEN) if is_index else None
    return IndexDocuments(
        None if texts is None else tuple(texts), vectors, name=str(path), source_vectors=seen
    )
