"""PostgreSQL: a table at hand, as a check and a search read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ....retrieval.stored_index import StoredDocument
from ..keeping import KeepingIndex
from .keeping import keeper_of
from .table import Table
from .transactions import Transaction, quoted

ReadDocument = Callable[[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""Returns the text that was embedded and the metadata, of those that are stored."""


class PostgresIndex(KeepingIndex):
    """A table with a column of pgvector.

    Args:
        name: of the table or collection, for messages.
        transaction: how the database is asked.
        table: its table and columns.
        scale: of the scores of the store.
        by_cosine: whether it ranks by cosine.
        read: see :data:`ReadDocument`; text and metadata as they are stored where it is left out.
    """

    def __init__(
        self,
        name: str,
        transaction: Transaction,
        table: Table,
        *,
        scale: str | None,
        by_cosine: bool,
        read: ReadDocument = lambda text, metadata: (text, metadata),
    ) -> None:
        self.name, self.scale, self.by_cosine = name, scale, by_cosine
        self._transaction, self._table, self._read = transaction, table, read
        self._keeper = keeper_of(transaction, table)
        self.collection = table.collection or table.name

    def identity(self) -> str | None:
        """Return the id of a collection of PGVector; None of a table."""
        with self._transaction() as sql:
            return self._table.identity(sql)

    def kept(self, key: str) -> str | None:
        """Return a text of the comment, or of the metadata of the collection."""
        kept: str | None = self._keeper.get(key)
        return kept

    def keep(self, key: str, value: str) -> bool:
        """Write a text beside the others; the database refuses who does not own the table."""
        assert self._keeper.put is not None
        self._keeper.put(key, value)
        return True

    def sample(self, n: int) -> Sequence[StoredDocument]:
        """Return the first and the last documents by the primary key."""
        table = self._table
        rows = (
            f"SELECT CAST({quoted(table.vector)} AS real[]), {table.columns_of_documents}"
            f" FROM {table.written} WHERE {table.rows} ORDER BY {quoted(table.order or table.id)}"
        )
        with self._transaction() as sql:
            found = sql(f"{rows} LIMIT {n:d}")
            if len(found) == n:
                found = found[: n // 2] + sql(f"{rows} DESC LIMIT {n - n // 2:d}")
        documents = []
        for stored, *row in found:
            text, metadata = self._read(*table.document(row))
            vector = None if stored is None else np.asarray(stored, np.float32)
            documents.append(StoredDocument(text, metadata, vector))
        return documents


def vectors_in_postgres(
    transaction: Transaction, table: Table, ids: Sequence[str | None]
) -> list[Any]:
    """Return the stored vector of each id of a table; None where there is none."""
    known = [name for name in dict.fromkeys(ids) if name is not None]
    if not known:
        return [None] * len(ids)
    column = quoted(table.id)
    with transaction() as sql:
        kind = table.type_of(sql, table.id)  # an index of ids serves their own type alone
        rows = sql(
            f"SELECT CAST({column} AS text), CAST({quoted(table.vector)} AS real[])"
            f" FROM {table.written} WHERE {table.rows}"
            f" AND {column} = ANY(CAST(CAST(%(ids)s AS text[]) AS {kind}[]))",
            ids=known,
        )
    found = dict(rows)
    return [None if name is None else found.get(name) for name in ids]
