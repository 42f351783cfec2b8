"""Parquet: a file or folder that is a copy of an index, read by the columns that a move reads.

The schema may hold a record: in the metadata of the column of vectors, as a table of LanceDB has
it, or of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...data.index import IndexDocuments
from ...errors import KakehashiError, MissingExtraError, ReaderError
from ...printable import printable
from ...retrieval.stored_index import StoredDocument
from ...vectors import Float32Array
from .address import Address
from .arrow import columns_of_vectors, list_vectors, texts_kept, vector_column
from .arrow_document import ID, METADATA, document_of, text_column
from .in_memory import InMemoryIndex, Keeper
from .rows import documents_of


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """The n rows of a file; ``vectors`` is (n, d), ``kept`` the metadata of its schema."""

    name: str
    ids: list[str]
    vectors: Float32Array
    texts: list[str | None]
    metadata: list[Mapping[str, Any]]
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
        DataError: there is no file; or no column of vectors, or several to choose from.
        ReaderError: it is no Parquet, or its vectors are not equally long.
        MissingExtraError: pyarrow is not installed, or LlamaIndex is not, which wrote the rows.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    path = address.required_folder()
    try:
        schema = pq.ParquetDataset(path).schema
        vector = vector_column(schema, address)
        table = pq.read_table(path, columns=[vector, *_columns_beside(schema)])
        vectors = list_vectors(table.column(vector).combine_chunks())
        fields = table.drop_columns(vector).to_pylist()
        documents = [document_of(row) for row in fields]
        ids = [str(row.get(ID, number)) for number, row in enumerate(fields)]
        kept = texts_kept(schema, vector)
    except KakehashiError:
        raise
    except Exception as error:  # a damaged file raises whatever pyarrow raises
        raise ReaderError(
            f"{path} is no Parquet with a column of equally long vectors: {printable(error)}"
        ) from error
    texts, metadata = [text for text, _ in documents], [about for _, about in documents]
    return ParquetRows(address.text, ids, vectors, texts, metadata, kept)


def _columns_beside(schema: Any) -> list[str]:
    """Return the columns of ids, texts and metadata; other vectors say nothing about a document."""
    others = columns_of_vectors(schema)
    names = [name for name in schema.names if name not in others]
    if METADATA not in names:
        return names
    return [name for name in names if name in (ID, text_column(names), METADATA)]


def read_parquet(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a file."""
    rows = parquet_rows(address)
    return documents_of(rows.name, rows.ids, rows.texts, rows.vectors, rows.metadata)
