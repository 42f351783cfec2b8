"""The Parquet files of a folder, read some rows at a time.

A part that is written here is ``part-000000007.parquet``. Small ones are joined into one of the
name ``part-000000001-000000064.parquet``, which stands for them even where they are still there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....errors import ReaderError
from ....printable import printable
from ..arrow_document import ID

_OURS = re.compile(r"part-(\d{9})(?:-(\d{9}))?\.parquet")
HEAD = "part-000000000.parquet"
"""A file without rows: it has the columns, and keeps our texts in its metadata."""


def parts_of(folder: Path) -> list[Path]:
    """Return the files in their order; a file alone is its own only part."""
    if not folder.is_dir():
        return [folder]
    found = sorted(p for p in folder.glob("*.parquet") if not p.name.startswith((".", "_")))
    joined = [span for span in map(span_of, found) if span is not None and span[0] != span[1]]
    return [path for path in found if not _is_joined(span_of(path), joined)]


def span_of(path: Path) -> tuple[int, int] | None:
    """Return the numbers of the first and the last part that a file holds; None of another."""
    named = _OURS.fullmatch(path.name)
    return None if named is None else (int(named[1]), int(named[2] or named[1]))


def _is_joined(span: tuple[int, int] | None, joined: list[tuple[int, int]]) -> bool:
    return span is not None and any(
        first <= span[0] and span[1] <= last and span != (first, last) for first, last in joined
    )


def n_rows(path: Path) -> int:
    """Return the number of rows of a part, from its footer."""
    stat = path.stat()
    return _n_rows(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@lru_cache(100_000)
def _n_rows(path: Path, *state: int) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def batches_of(path: Path, size: int, columns: list[str] | None = None) -> Iterator[Any]:
    """Yield tables of at most so many rows, without a whole file in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(size, columns=columns):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])


def ids_of(table: Any) -> list[str]:
    """Return the ids of a table, as text."""
    return list(map(str, table.column(ID).to_pylist()))


def id_columns(path: Path) -> Iterator[Any]:
    """Yield the column of ids of a part, piece by piece."""
    for table in batches_of(path, 1 << 16, [ID]):
        yield table.column(ID)


def chosen(path: Path, wanted: set[str], size: int) -> Iterator[Any]:
    """Yield the rows of these ids, from those row groups alone that hold some."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            if wanted.isdisjoint(ids_of(file.read_row_group(number, [ID]))):
                continue
            for batch in file.iter_batches(size, row_groups=[number]):
                table = pa.Table.from_batches([batch])
                found = table.filter([name in wanted for name in ids_of(table)])
                if found.num_rows:
                    yield found


def schema_of_parts(path: Path) -> Any:
    """Return the schema of the first part.

    Raises:
        ReaderError: there is none, or it is no Parquet.
    """
    import pyarrow.parquet as pq

    first = next(iter(parts_of(path)), None)
    if first is None:
        raise ReaderError(f"{path} holds no file *.parquet; folders inside it are not read.")
    try:
        return pq.read_schema(first)
    except Exception as error:  # a damaged file raises whatever pyarrow raises
        raise ReaderError(f"{first} is no Parquet: {printable(error)}") from error


def compression_of(path: Path) -> str:
    """Return how the first rows are compressed, in the words of a writer."""
    import pyarrow.parquet as pq

    for part in parts_of(path):
        footer = pq.read_metadata(part)
        if footer.num_row_groups and footer.num_columns:
            name = str(footer.row_group(0).column(0).compression).lower()
            return "none" if name == "uncompressed" else name
    return "snappy"
