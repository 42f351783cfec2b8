"""LanceDB: a table at hand, as a check reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...retrieval.stored_index import StoredDocument
from .keeping import KeepingIndex

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

    @property
    def name(self) -> str:
        """The name of the table."""
        return f"The table {self._table.name!r} of LanceDB"

    def kept(self, key: str) -> str | None:
        """Return the text under a key of the metadata of the column of vectors."""
        metadata = self._table.schema.field(self._vector_column).metadata or {}
        value = metadata.get(key.encode())
        return None if value is None else value.decode()

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
