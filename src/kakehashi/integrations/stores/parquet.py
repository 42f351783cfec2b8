"""Parquet: a file or folder that is a copy of an index, with the columns ``vector`` and ``text``.

The columns ``id`` and ``metadata`` (a struct) are read where they are there. The schema may hold a
record: in the metadata of the column of vectors, as a table of LanceDB has it, or of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...data.index import IndexDocuments
from ...errors import MissingExtraError, ReaderError
from ...printable import printable
from ...retrieval.stored_index import StoredDocument
from ...vectors import Float32Array
from .address import Address
from .arrow import list_vectors, texts_kept
from .in_memory import InMemoryIndex, Keeper
from .rows import documents_of


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """The n rows of a file; ``vectors`` is (n, d), ``kept`` the metadata of its schema."""

    name: str
    ids: list[str]
    vectors: Float32Array
    texts: list[str | None]
    metadata: list[dict[str, Any]]
    kept: Mapping[str, str]

    def index(self) -> InMemoryIndex:
        """Return the rows as a check reads them."""

        def document(row: int) -> StoredDocument:
            return StoredDocument(self.texts[row] or "", self.metadata[row], self.vectors[row])

        ids = range(len(self.ids))
        return InMemoryIndex(self.name, None, ids, document, Keeper(self.kept.get, None))


def parquet_rows(address: Address) -> ParquetRows:
    """Read the rows of a file, or of the files of a folder.

    Raises:
        DataError: there is no file.
        ReaderError: it is no Parquet, or has no column of texts or of equally long vectors.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    path = address.required_folder()
    try:
        schema = pq.ParquetDataset(path).schema
        names = [n for n in ("id", "vector", "text", "metadata") if n in schema.names]
        table = pq.read_table(path, columns=names)
        vectors = list_vectors(table.column("vector").combine_chunks())
        columns = table.drop_columns("vector").to_pydict()
        texts = columns["text"]
        ids = list(map(str, columns.get("id", range(len(texts)))))
        given = columns.get("metadata", [None] * len(texts))
        # A struct has a place for what other rows name.
        metadata = [{n: v for n, v in (row or {}).items() if v is not None} for row in given]
        kept = texts_kept(schema, "vector")
    except Exception as error:  # a damaged file raises whatever pyarrow raises
        raise ReaderError(
            f"{path} is no Parquet with a column 'vector' of equally long lists and a column "
            f"'text': {printable(error)}"
        ) from error
    return ParquetRows(address.text, ids, vectors, texts, metadata, kept)


def read_parquet(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a file."""
    rows = parquet_rows(address)
    return documents_of(rows.name, rows.ids, rows.texts, rows.vectors, rows.metadata)
