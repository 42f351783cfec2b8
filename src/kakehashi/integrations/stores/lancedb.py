"""LanceDB: a table at hand, as a check reads it, and the rows of one at an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import DataError, KakehashiError
from ...retrieval.stored_index import StoredDocument
from .address import Address
from .arrow import list_vectors, vector_column
from .arrow_document import ID, document_of
from .keeping import KeepingIndex
from .rows import documents_of

ReadRow = Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""Returns the text that was embedded and the metadata, of a row."""


class LanceDBIndex(KeepingIndex):
    """A table.

    What is kept lies in the metadata of the column of vectors, which lancedb writes by itself.
    Those of the table need another package. A copy of the table as Arrow or Parquet keeps both.

    Args:
        table: of lancedb.
        vector_column: the name of the column of vectors.
        read_row: see :data:`ReadRow`.
    """

    scale: str | None = None  # each call may name another metric
    by_cosine = False

    def __init__(self, table: Any, vector_column: str, read_row: ReadRow) -> None:
        self._table, self._vector_column, self._read_row = table, vector_column, read_row
        self.collection = table.name

    @property
    def name(self) -> str:
        """The name of the table."""
        return f"The table {self._table.name!r} of LanceDB"

    def kept(self, key: str) -> str | None:
        """Return the text under a key of the metadata of the column of vectors."""
        metadata = self._now().schema.field(self._vector_column).metadata or {}
        value = metadata.get(key.encode())
        return None if value is None else value.decode()

    def _now(self) -> Any:
        """Return the table as it is now: one at hand stays as it was when it was opened."""
        with suppress(Exception):  # of the cloud, or in a namespace: as it is at hand
            return self._table._conn.open_table(self._table.name)
        return self._table

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the metadata that are there; lancedb can since 0.34."""
        update = getattr(self._table, "update_field_metadata", None)
        if update is None:
            return False
        update({"path": self._vector_column, "metadata": {key: value}})
        return True

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return documents from the beginning and from the end of the table."""
        count = self._table.count_rows()
        pages = [(0, count)] if count <= n else [(0, n // 2), (count - n // 2, n // 2)]
        documents = []
        for offset, limit in pages:
            for row in self._table.search().limit(limit).offset(offset).to_list():
                text, metadata = self._read_row(row)
                stored = np.asarray(row[self._vector_column], np.float32)
                documents.append(StoredDocument(text, metadata, stored))
        return documents


def opened_lancedb(address: Address) -> tuple[Any, str]:
    """Return a connection to a folder, and the name of the table.

    Raises:
        DataError: the folder holds no table, no such one, or several to choose from.
        KakehashiError: lancedb is not installed.
    """
    try:
        import lancedb
    except ImportError as error:
        raise KakehashiError("lancedb is not installed; install it: pip install lancedb") from error
    folder = address.required_folder()
    tables = [each.stem for each in folder.glob("*.lance")]
    return lancedb.connect(str(folder)), address.collection_of(tables)


def read_lancedb(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a table."""
    connection, name = opened_lancedb(address)
    table = connection.open_table(name)
    vector = vector_column(table.schema, address)
    rows = table.search().to_arrow()
    try:
        vectors = list_vectors(rows.column(vector).combine_chunks())
    except ValueError as error:
        raise DataError(f"{address.text}: the vectors are of unequal length: {error}.") from error
    fields = rows.drop_columns(vector).to_pylist()
    documents = [document_of(row) for row in fields]
    ids = [str(row.get(ID, number)) for number, row in enumerate(fields)]
    texts, metadata = [text for text, _ in documents], [about for _, about in documents]
    return documents_of(address.text, ids, texts, vectors if ids else None, metadata)
