"""Rows of tables of Arrow, as LanceDB and Parquet hold documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ....errors import DataError
from ....vectors import Float32Array
from ..arrow import vector_array, vectors_of
from ..arrow_document import ID, document_of
from .protocol import StoredRow
from .untouched import untouched_bytes


def rows_of(page: Any, vector: str) -> list[StoredRow]:
    """Return the rows of a table; the payload of each is a table of one row without its vector.

    Args:
        page: of Arrow, with a column of ids.
        vector: the name of the column of vectors.
    """
    rest = page.drop_columns(vector)
    found = []
    for number, (stored, fields) in enumerate(
        zip(vectors_of(page.column(vector)), rest.to_pylist(), strict=True)
    ):
        text, metadata = document_of(fields)
        payload, untouched = rest.slice(number, 1), untouched_bytes(fields)
        found.append(StoredRow(str(fields[ID]), stored, text, metadata, untouched, payload))
    return found


def table_of(rows: Sequence[StoredRow], vectors: Float32Array, schema: Any, vector: str) -> Any:
    """Return rows with other vectors as a table.

    Args:
        rows: from :func:`rows_of`.
        vectors: (n, d).
        schema: of Arrow, of the collection that takes them.
    """
    import pyarrow as pa

    field = schema.field(vector)
    rest = pa.concat_tables([row.payload for row in rows]).combine_chunks()
    columns = {name: rest.column(name) for name in rest.column_names}
    columns[vector] = vector_array(vectors, field.type)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def require_ids(names: Sequence[str], address: str) -> None:
    """Refuse a table without a column of ids.

    Raises:
        DataError: see above.
    """
    if ID not in names:
        raise DataError(
            f"{address}: rows are moved by their column {ID!r}, and the columns are "
            f"{', '.join(map(repr, names))}. Add one with another value in each row."
        )


def require_unique(columns: Iterable[Any], name: str) -> None:
    """Refuse ids that name several rows: a row could not be found again.

    Args:
        columns: of Arrow, which hold the ids together.
        name: of the collection, for the error.

    Raises:
        DataError: names one such id.
    """
    hashes, without = [np.empty(0, np.int64)], 0
    for column in columns:
        without += column.null_count
        hashes.append(np.fromiter(map(hash, map(str, column.to_pylist())), np.int64))
    every = np.concatenate(hashes)
    repeated = len(every) - len(np.unique(every))
    if without or repeated:
        raise DataError(
            f"{name}: {without} rows have no id, and {repeated} the id of another row. Give each "
            f"row its own value in the column {ID!r}."
        )
