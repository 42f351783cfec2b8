"""Parquet files to embed, and what was written of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .toy_data import reversed_letters


def many_texts(n: int) -> list[str]:
    """Return n short instructions; one in ten is there twice."""
    verbs, things = ("reset", "check", "drain", "fit", "oil"), ("pump", "valve", "tank", "seal")
    rows = (row - 5 if row % 10 == 9 else row for row in range(n))
    return [f"{verbs[r % 5]} the {things[r // 5 % 4]} no. {r}".upper() for r in rows]


def write_texts(
    path: Path, n: int = 90, *, vectors: bool = False, rows: int = 20, first: int = 0
) -> Path:
    """Write ids, texts, metadata and a column of the application's own, in groups of rows.

    Args:
        first: the number in the first id.
    """
    texts = many_texts(n)
    columns: dict[str, Any] = {
        "id": [f"d{first + row}" for row in range(n)],
        "text": texts,
        "metadata": [{"page": row} for row in range(n)],
        "tenant": pa.array(["a", "b"] * (n // 2), pa.string()),
    }
    if vectors:
        columns["vector"] = list(reversed_letters(texts))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=rows)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the files in a folder by their names."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def vectors_of(table: Any) -> np.ndarray:
    """Return the vectors of a table, a row each."""
    return np.stack(table.column("vector").to_numpy(zero_copy_only=False))


def changed(source: Path, **columns: Any) -> Path:
    """Exchange the values of some columns of a file, in groups of twenty rows."""
    table = pq.read_table(source)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, source, row_group_size=20)
    return source
