"""Reading all documents of a table of PostgreSQL, at an address."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from ....data.index import IndexDocuments
from ....errors import DataError
from ..address import Address
from ..postgres_address import PostgresAddress
from ..rows import documents_of
from .catalogue import table_at
from .transactions import of_connection, quoted

_PAGE = 1000


def read_postgres(address: Address) -> IndexDocuments:
    """Read the texts and vectors of a table, page by page, in one snapshot."""
    assert isinstance(address, PostgresAddress)
    ids, texts, metadata, vectors = [], [], [], []
    with closing(address.connection()) as connection, of_connection(connection)() as sql:
        sql("SET TRANSACTION READ ONLY")
        table = table_at(sql, address)
        with connection.cursor("rows", binary=True) as cursor:
            cursor.itersize = _PAGE
            cursor.execute(
                f"SELECT CAST({quoted(table.id)} AS text), CAST({quoted(table.vector)} AS real[]),"
                f" {table.columns_of_documents} FROM {table.written} WHERE {table.rows}",
                {},
            )
            for name, stored, *row in cursor:
                if stored is None:
                    raise DataError(f"{address.text}: the document {name!r} has no vector.")
                text, fields = table.document(row)
                ids.append(name)
                texts.append(text or None)
                metadata.append(fields)
                vectors.append(np.asarray(stored, np.float32))
    return documents_of(address.text, ids, texts, np.stack(vectors) if ids else None, metadata)
